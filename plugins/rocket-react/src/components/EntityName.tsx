import { parseEntityRef } from '@backstage/catalog-model';
import { useRouteRef } from '@backstage/frontend-plugin-api';
import {
  entityRouteParams,
  entityRouteRef,
  useEntityPresentation,
} from '@backstage/plugin-catalog-react';
import { Link } from '@backstage/ui';
import { tableStyles } from './tables';

/** Props of {@link EntityName}. */
export interface EntityNameProps {
  entityRef: string;
  /** Text when the caller knows a better one than the catalog's. */
  title?: string;
  /** Added to the address of the entity's page, for example `/delivery`. */
  tab?: string;
  className?: string;
}

/** Address of an entity's page; undefined where there is no catalog. */
export function useEntityHref(): (entityRef: string) => string | undefined {
  const entityRoute = useRouteRef(entityRouteRef);
  return entityRef =>
    entityRoute?.(
      entityRouteParams(parseEntityRef(entityRef), { encodeParams: true }),
    );
}

/** Name of an entity with a link to its page; plain text where there is no catalog. */
export function EntityName({
  entityRef,
  title,
  tab = '',
  className,
}: EntityNameProps) {
  const { primaryTitle } = useEntityPresentation(entityRef);
  const href = useEntityHref()(entityRef);
  const text = title ?? primaryTitle;
  if (!href) {
    return <span className={className}>{text}</span>;
  }
  return (
    <Link
      href={`${href}${tab}`}
      className={`${tableStyles.link} ${className ?? ''}`}
      standalone
    >
      {text}
    </Link>
  );
}
