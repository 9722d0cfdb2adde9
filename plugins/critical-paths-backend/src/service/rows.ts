import type {
  BoardRow,
  MaintenanceWindow,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsSettings } from '../settings';
import type { StoredMaintenance } from '../store/PolicyStore';
import { dataStatus, stateOf } from './feeds';
import type { PathFigures } from './FigureService';
import { isoOfMinute } from './figures';

/** A window of planned downtime as the API shows it. */
export function toMaintenanceWindow(
  stored: StoredMaintenance,
): MaintenanceWindow {
  return {
    id: stored.id,
    pathRef: stored.pathRef,
    from: isoOfMinute(stored.from),
    to: isoOfMinute(stored.to),
    reason: stored.reason,
    createdBy: stored.createdBy,
    createdAt: new Date(stored.createdTime * 1000).toISOString(),
  };
}

/** Planned downtime of a path that goes on now. */
export function currentMaintenance(
  figures: Pick<PathFigures, 'maintenance'>,
  now: number,
): MaintenanceWindow | null {
  const minute = now / 60_000;
  const current = figures.maintenance.find(
    window => window.from <= minute && window.to > minute,
  );
  return current ? toMaintenanceWindow(current) : null;
}

/** The row of a path with what depends on the time of the answer: ages and the state. */
export function toBoardRow(
  figures: PathFigures,
  settings: Pick<
    CriticalPathsSettings,
    'staleAfterSeconds' | 'quietAfterSeconds'
  >,
  now: number,
): BoardRow {
  const { resolved, feeds, signals, objectives, budget } = figures;
  const { path } = resolved;
  const maintenance = currentMaintenance(figures, now);
  const { state, reasons } = stateOf(
    {
      feeds,
      validInWindow: signals.valid,
      objectives,
      problems: resolved.problems,
      alerts: budget.alerts,
      maintenance: maintenance ?? undefined,
      workflow: figures.workflow ?? undefined,
    },
    settings,
    now,
  );
  return {
    entityRef: path.entityRef,
    namespace: path.namespace,
    name: path.name,
    title: path.title,
    description: path.description,
    businessModel: path.businessModel,
    owner: path.owner,
    type: path.type,
    lifecycle: path.lifecycle,
    state,
    stateReasons: reasons,
    signals,
    sparkline: figures.sparkline,
    aggregation: path.aggregation,
    objectives,
    budget: budget.summary,
    previous: figures.previous,
    attribution: figures.attribution,
    maintenance,
    workflow: figures.workflow,
    data: dataStatus(
      feeds.filter(f => f.entry),
      now,
    ),
    applications: new Set(feeds.map(f => f.member.entityRef)).size,
    unknownComponents: resolved.unknownComponents,
  };
}
