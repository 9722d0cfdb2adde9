import {
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import {
  addHistogram,
  isEntityRef,
  mostUrgent,
  type BoardRow,
  type PathState,
  type SignalCounts,
  type TeamRow,
} from '@rocket/plugin-critical-paths-common';
import type { PathFigures } from './FigureService';
import { signalsOfCounts } from './figures';

/** A group as the caller may see it. */
export interface VisibleGroup {
  entityRef: string;
  title: string;
  /** Ref of the group above. */
  parent?: string;
}

/** The fields of a Group that {@link groupsOf} reads. */
export const GROUP_FIELDS = [
  'kind',
  'metadata.namespace',
  'metadata.name',
  'metadata.title',
  'spec.profile.displayName',
  'spec.parent',
  'spec.children',
];

/** Groups by ref. A group may name the one above it, or those below it. */
export function groupsOf(entities: Entity[]): Map<string, VisibleGroup> {
  const groups = new Map<string, VisibleGroup>();
  const parents = new Map<string, string>();
  for (const entity of entities) {
    const entityRef = stringifyEntityRef(entity);
    const complete = (ref: unknown) =>
      typeof ref === 'string' && isEntityRef(ref)
        ? stringifyEntityRef(
            parseEntityRef(ref, {
              defaultKind: 'group',
              defaultNamespace: entity.metadata.namespace,
            }),
          )
        : undefined;
    const spec = entity.spec as
      | {
          parent?: unknown;
          children?: unknown;
          profile?: { displayName?: string };
        }
      | undefined;
    groups.set(entityRef, {
      entityRef,
      title:
        spec?.profile?.displayName ??
        entity.metadata.title ??
        entity.metadata.name,
      parent: complete(spec?.parent),
    });
    for (const child of Array.isArray(spec?.children) ? spec.children : []) {
      const ref = complete(child);
      if (ref !== undefined) {
        parents.set(ref, entityRef);
      }
    }
  }
  for (const [child, parent] of parents) {
    const group = groups.get(child);
    if (group && group.parent === undefined) {
      group.parent = parent;
    }
  }
  return groups;
}

/** The states from the worst to the best, as the boards sort them. */
const WORST_FIRST: readonly PathState[] = [
  'exhausted',
  'at-risk',
  'stale',
  'no-data',
  'unknown',
  'no-objective',
  'maintenance',
  'healthy',
];

/**
 * One row per owner of a path and per group above it, at any depth. Counts are
 * added up over all paths of the owner and of the groups below; a path counts
 * once for each of them. A group that the caller may not see has no row, unless
 * it owns a path itself; what is above it is not known then.
 */
export function teamRows(
  paths: { row: BoardRow; figures: PathFigures }[],
  groups: ReadonlyMap<string, VisibleGroup>,
): TeamRow[] {
  const byTeam = new Map<string, typeof paths>();
  for (const path of paths) {
    const seen = new Set<string>();
    let ref: string | undefined = path.row.owner;
    while (ref !== undefined && !seen.has(ref)) {
      seen.add(ref); // a circle in the catalog ends here
      byTeam.set(ref, [...(byTeam.get(ref) ?? []), path]);
      const parent: string | undefined = groups.get(ref)?.parent;
      ref = parent !== undefined && groups.has(parent) ? parent : undefined;
    }
  }
  return [...byTeam]
    .map(([entityRef, own]) => toRow(entityRef, own, groups, byTeam))
    .sort((a, b) => (a.entityRef < b.entityRef ? -1 : 1));
}

function toRow(
  entityRef: string,
  own: { row: BoardRow; figures: PathFigures }[],
  groups: ReadonlyMap<string, VisibleGroup>,
  byTeam: ReadonlyMap<string, unknown>,
): TeamRow {
  const states: TeamRow['states'] = {};
  const sum: SignalCounts = {
    valid: 0,
    good: 0,
    histogram: {},
    withinThreshold: {},
  };
  let latencyError = 0;
  let throughput: number | null = null;
  for (const { row, figures } of own) {
    states[row.state] = (states[row.state] ?? 0) + 1;
    sum.valid += figures.counts.valid;
    sum.good += figures.counts.good;
    addHistogram(sum.histogram, figures.counts.histogram);
    latencyError = Math.max(latencyError, row.signals.latency.relativeError);
    if (row.signals.throughputPerMinute !== null) {
      throughput = (throughput ?? 0) + row.signals.throughputPerMinute;
    }
  }
  const remaining = own.flatMap(({ row }) =>
    row.objectives.flatMap(o => o.budgetRemaining ?? []),
  );
  const group = groups.get(entityRef);
  const parent = group?.parent;
  return {
    entityRef,
    title: group?.title ?? entityRef,
    ...(parent !== undefined && byTeam.has(parent) ? { parent } : {}),
    paths: own.map(({ row }) => row.entityRef),
    ownPaths: own.filter(({ row }) => row.owner === entityRef).length,
    states,
    state: WORST_FIRST.find(state => states[state]) ?? 'unknown',
    signals: {
      ...signalsOfCounts(sum, 0, latencyError),
      // Paths may be observed for different stretches; rates may be added.
      throughputPerMinute:
        throughput === null ? null : Number(throughput.toFixed(3)),
    },
    budgetRemaining: remaining.length > 0 ? Math.min(...remaining) : null,
    alert: mostUrgent(own.map(({ row }) => row.budget?.alert ?? null)),
  };
}
