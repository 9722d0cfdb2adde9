import type { ChangeBurn } from '@rocket/plugin-critical-paths-common';
import type { StoredChange } from '../changes/ChangeStore';
import type { StoredChangeBurn } from '../store/BurnStore';
import {
  coveredMinutes,
  subtractRanges,
  type MinuteRange,
} from '../store/ranges';
import type { SignalStore } from '../store/SignalStore';
import { attributePath, type AttributedPath } from './attributePath';

/** Names a change among the changes of a path. */
export function changeId(change: StoredChange): string {
  return `${change.kind}:${change.source}:${change.externalId}`.slice(0, 400);
}

/**
 * What a path lost in the minutes after a deployment: the bad events of its
 * entry step that are charged to the deployed application (for a deployment of
 * the path itself: to anybody), less as many as the same number of minutes
 * before the deployment brought, per observed minute. Fewer than twice the
 * square root of what was expected is chance, so a quiet deployment has 0.
 */
export async function burnOfChange(
  store: Pick<SignalStore, 'readCounts'>,
  path: AttributedPath,
  downtime: readonly MinuteRange[],
  input: { pathRef: string; change: StoredChange; minutes: number },
  until: number,
): Promise<StoredChangeBurn> {
  const { pathRef, change, minutes } = input;
  const at = Math.floor(change.startTime / 60);
  const factors = path.model.steps.map(() => 1);
  const lost = async (from: number, to: number) => {
    let bad = 0;
    for (const { totals } of await attributePath(
      store,
      { ...path, steps: [0] },
      downtime,
      from,
      to,
    )) {
      const charges = totals.combine(factors);
      bad +=
        change.entityRef === pathRef
          ? charges.bad
          : charges.own.get(change.entityRef) ?? 0;
    }
    return bad;
  };
  const entry = path.series.filter(
    (s, index) => s && path.model.members[index].step === 0,
  );
  const observed = (from: number, to: number) =>
    Math.max(
      0,
      ...entry.map(s =>
        coveredMinutes(subtractRanges(s!.covered, downtime), from, to),
      ),
    );
  const end = at + minutes;
  const bad = await lost(at, end);
  const before = await lost(at - minutes, at);
  const seen = observed(at, end);
  const seenBefore = observed(at - minutes, at);
  const expected = seenBefore > 0 ? (before * seen) / seenBefore : 0;
  const excess = bad - expected;
  let valid = 0;
  for (const row of await store.readCounts(
    'minute',
    entry.map(s => s!.id),
    at,
    end,
  )) {
    valid += row.valid;
  }
  const planned = coveredMinutes(downtime, at, end);
  return {
    pathRef,
    changeId: changeId(change),
    at,
    minutes,
    complete: until >= end && seen + planned >= minutes,
    valid,
    bad,
    excess: excess > 2 * Math.sqrt(expected) ? excess : 0,
  };
}

/** As it is shown: the part of the path's budget is that of `allowedEvents`. */
export function toChangeBurn(
  burn: StoredChangeBurn,
  allowedEvents: number | undefined,
): ChangeBurn {
  return {
    minutes: burn.minutes,
    complete: burn.complete,
    valid: burn.valid,
    badEvents: Number(burn.bad.toFixed(3)),
    excessEvents: Number(burn.excess.toFixed(3)),
    budgetPercent:
      allowedEvents !== undefined && allowedEvents > 0
        ? Number(((burn.excess / allowedEvents) * 100).toFixed(3))
        : null,
  };
}
