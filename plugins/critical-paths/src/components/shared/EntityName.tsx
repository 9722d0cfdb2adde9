import { tableStyles as styles } from '@rocket/rocket-react';
import { parseEntityRef } from '@backstage/catalog-model';
import {
  entityRouteParams,
  entityRouteRef,
  useEntityPresentation,
} from '@backstage/plugin-catalog-react';
import { Link } from '@backstage/ui';
import { useRoute } from '../../lib/useRoute';

/** Props of {@link EntityName}. */
export interface EntityNameProps {
  entityRef: string;
  /** Text when the caller knows a better one than the catalog's. */
  title?: string;
  className?: string;
}

/** Name of an entity with a link to its page; plain text where there is no catalog. */
export function EntityName({ entityRef, title, className }: EntityNameProps) {
  const { primaryTitle } = useEntityPresentation(entityRef);
  const entityRoute = useRoute(entityRouteRef);
  const text = title ?? primaryTitle;
  if (!entityRoute) {
    return <span className={className}>{text}</span>;
  }
  const href = entityRoute(
    entityRouteParams(parseEntityRef(entityRef), { encodeParams: true }),
  );
  return (
    <Link
      href={href}
      className={`${styles.link} ${className ?? ''}`}
      standalone
    >
      {text}
    </Link>
  );
}
