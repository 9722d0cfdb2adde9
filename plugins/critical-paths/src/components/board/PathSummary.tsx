import type { ReactNode } from 'react';
import type { BoardRow } from '@rocket/plugin-critical-paths-common';
import { Link } from '@backstage/ui';
import { StateBadge, tableStyles as styles } from '@rocket/rocket-react';
import { DEFAULT_WINDOW } from '../../lib/boardView';
import { sentence } from '../../lib/figures';
import { useRoute } from '../../lib/useRoute';
import { pathRouteRef } from '../../routes';

/** Address of a path's page; keeps the window. Undefined where the page is not installed. */
export function usePathHref(window: string) {
  const route = useRoute(pathRouteRef);
  return ({ namespace, name }: { namespace: string; name: string }) => {
    const href = route?.({ namespace, name });
    return href && window !== DEFAULT_WINDOW
      ? `${href}?window=${window}`
      : href;
  };
}

/** Props of {@link PathTitle}. */
export interface PathTitleProps {
  row: Pick<BoardRow, 'namespace' | 'name' | 'title'> &
    Partial<Pick<BoardRow, 'type' | 'lifecycle'>>;
  window: string;
  /** What stands below the title instead of type and lifecycle. */
  children?: ReactNode;
}

/** Title of a path with a link to its page, type and lifecycle below. */
export function PathTitle({ row, window, children }: PathTitleProps) {
  const href = usePathHref(window)(row);
  return (
    <>
      {href ? (
        <Link href={href} className={styles.titleLink} standalone>
          {row.title}
        </Link>
      ) : (
        <span className={styles.title}>{row.title}</span>
      )}
      <span className={styles.sub}>
        {children ?? `${row.type} · ${row.lifecycle}`}
      </span>
    </>
  );
}

/** Props of {@link StateWithReason}. */
export interface StateWithReasonProps {
  state: BoardRow['state'];
  reasons: string[];
  outdated: boolean;
}

/** The state and the first reason for it, unless all is well. */
export function StateWithReason(props: StateWithReasonProps) {
  const { state, reasons, outdated } = props;
  const more = reasons.length - 1;
  return (
    <>
      <StateBadge state={state} reasons={reasons} outdated={outdated} />
      {state !== 'healthy' && reasons.length > 0 && (
        <span className={styles.reason} aria-hidden="true">
          {sentence(reasons[0])}
          {more > 0 && ` (+${more} more)`}
        </span>
      )}
    </>
  );
}
