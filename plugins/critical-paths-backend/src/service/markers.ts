import type { ChangeMarker } from '@rocket/plugin-critical-paths-common';
import { changeId, toChangeBurn } from '../burn/changeBurn';
import type { StoredChange } from '../changes/ChangeStore';
import { toMarker } from '../changes/incidents';
import type { StoredChangeBurn } from '../store/BurnStore';
import type { StoredReset } from '../store/PolicyStore';
import { allowedEventsOf, type PathFigures } from './FigureService';
import { isoOfMinute } from './figures';

/** Everything that is marked on the charts of a path over a window (minutes), the oldest first. */
export function markersOf(
  changes: StoredChange[],
  burns: StoredChangeBurn[],
  figures: PathFigures,
  reset: StoredReset | undefined,
  window: { from: number; until: number },
): ChangeMarker[] {
  const { from, until } = window;
  const { entityRef } = figures.resolved.path;
  const burnById = new Map(burns.map(burn => [burn.changeId, burn]));
  const allowed = allowedEventsOf(figures.budget);
  const markers = changes.map<ChangeMarker>(change => {
    const burn = burnById.get(changeId(change));
    return {
      ...toMarker(change),
      ...(burn ? { burn: toChangeBurn(burn, allowed) } : {}),
    };
  });
  for (const downtime of figures.maintenance) {
    if (downtime.to > from && downtime.from < until) {
      markers.push({
        id: downtime.id,
        kind: 'maintenance',
        entityRef,
        title: `Planned downtime: ${downtime.reason}`,
        at: isoOfMinute(downtime.from),
        until: downtime.to <= until ? isoOfMinute(downtime.to) : undefined,
        source: 'rocket',
      });
    }
  }
  if (reset && reset.at >= from) {
    markers.push({
      id: reset.id,
      kind: 'budget-reset',
      entityRef,
      title: `Budget reset: ${reset.reason}`,
      at: isoOfMinute(reset.at),
      source: 'rocket',
    });
  }
  return markers.sort((a, b) => (a.at < b.at ? -1 : 1));
}
