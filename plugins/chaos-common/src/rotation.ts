import { DateTime } from 'luxon';
import type { Cell, RunSummary } from './score';
import type { IsoWeek } from './weeks';

/** When experiments may begin, in a team's own time zone. */
export interface WorkingHours {
  /** IANA time zone. */
  timeZone: string;
  /** ISO weekdays, 1 is Monday. */
  days: number[];
  /** First hour, 0 to 23. */
  fromHour: number;
  /** Hour before which the last one begins, 1 to 24. */
  toHour: number;
}

/** Days on which nothing is broken, for example before an audit or over the year's end. */
export interface Freeze {
  /** ISO date, inclusive. */
  from: string;
  /** ISO date, inclusive. */
  to: string;
  reason: string;
}

/** A change of the plan that a person made. */
export type Adjustment =
  | { slot: string; action: 'move'; to: number; reason: string }
  | { slot: string; action: 'skip'; reason: string };

/** One turn of a team in a week. */
export interface Turn {
  /** Stable name: `<week>/<team>/<n>`. */
  slot: string;
  week: string;
  team: string;
  cell: Cell;
  /** Milliseconds since the epoch; absent for what is skipped. */
  at?: number;
  /** Why it does not take place, or was moved. */
  note?: string;
}

const HOUR = 60 * 60 * 1000;

/** FNV-1a, 32 bits: the same turn falls on the same hour in every replica and every run. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  // The last characters of an FNV hash differ little in its high bits.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Whether a moment is in working hours; the reason otherwise. */
export function outsideHours(
  time: number,
  hours: WorkingHours,
): string | undefined {
  const local = DateTime.fromMillis(time, { zone: hours.timeZone });
  if (!hours.days.includes(local.weekday)) {
    return `${local.toFormat('cccc', {
      locale: 'en',
    })} is no day for experiments in ${hours.timeZone}`;
  }
  return local.hour >= hours.fromHour && local.hour < hours.toHour
    ? undefined
    : `it is ${local.toFormat('HH:mm')} in ${
        hours.timeZone
      }; experiments begin from ${hours.fromHour}:00 to ${hours.toHour}:00`;
}

/** The freeze that a moment falls into, by its date in the time zone. */
export function freezeAt(
  time: number,
  freezes: Freeze[],
  timeZone: string,
): Freeze | undefined {
  const date = DateTime.fromMillis(time, { zone: timeZone }).toISODate()!;
  return freezes.find(({ from, to }) => from <= date && date <= to);
}

/** Every hour of a week in which an experiment may begin. */
export function hoursOf(
  week: IsoWeek,
  hours: WorkingHours,
  freezes: Freeze[],
): number[] {
  const found: number[] = [];
  // By calendar, so that a change of the clock neither doubles nor drops an hour.
  for (
    let day = DateTime.fromMillis(week.start, { zone: hours.timeZone }).startOf(
      'day',
    );
    day.toMillis() < week.end;
    day = day.plus({ days: 1 })
  ) {
    if (!hours.days.includes(day.weekday)) continue;
    for (let hour = hours.fromHour; hour < hours.toHour; hour += 1) {
      const at = day.set({ hour });
      const time = at.toMillis();
      if (
        // A clock that is put forward has no such hour.
        at.hour === hour &&
        time >= week.start &&
        time < week.end &&
        !freezeAt(time, freezes, hours.timeZone)
      ) {
        found.push(time);
      }
    }
  }
  return found;
}

/** The cells of a team in the order in which they should be tried: never tried first, then the oldest evidence. */
export function byNeed(
  cells: Cell[],
  runs: RunSummary[],
  week: string,
): Cell[] {
  const name = (of: Pick<Cell, 'criticalPath' | 'step' | 'kind'>) =>
    `${of.criticalPath} ${of.step} ${of.kind}`;
  const newest = new Map<string, number>();
  for (const run of runs) {
    if (run.verdict === 'not-run' || run.verdict === 'inconclusive') continue;
    newest.set(name(run), Math.max(newest.get(name(run)) ?? 0, run.at));
  }
  const age = (cell: Cell) => newest.get(name(cell)) ?? -Infinity;
  const draw = (cell: Cell) => hashOf(`${week} ${name(cell)}`);
  return [...cells].sort(
    (a, b) =>
      (age(a) === age(b) ? 0 : age(a) - age(b)) ||
      b.weight - a.weight ||
      draw(a) - draw(b) ||
      name(a).localeCompare(name(b)),
  );
}

/** One team and when it may be disturbed. */
export interface TeamPlan {
  team: string;
  cells: Cell[];
  hours: WorkingHours;
  /** Experiments in a week. */
  perWeek: number;
}

/**
 * The turns of coming weeks. The same input gives the same plan, on every
 * replica. Each week takes for every team the cells with the oldest evidence;
 * a turn of an earlier week of the plan counts as if it had been run. No two
 * turns of one critical path, and none of one team, fall into the same hour.
 *
 * What cannot take place (nothing but freezes in a week, no free hour) is a
 * turn without a time and with the reason.
 */
export function planRotation(options: {
  weeks: IsoWeek[];
  teams: TeamPlan[];
  runs: RunSummary[];
  freezes: Freeze[];
  adjustments: Adjustment[];
}): Turn[] {
  const { weeks, teams, runs, freezes } = options;
  const adjustments = new Map(options.adjustments.map(a => [a.slot, a]));
  const seen = [...runs];
  const taken = new Set<string>();
  const turns: Turn[] = [];
  const occupied = (cell: Cell, time: number) => [
    `${cell.criticalPath} ${Math.floor(time / HOUR)}`,
    `${cell.team} ${Math.floor(time / HOUR)}`,
  ];
  const place = (
    { slot, cell }: Turn,
    plan: TeamPlan,
    week: IsoWeek,
  ): Pick<Turn, 'at' | 'note'> => {
    const adjustment = adjustments.get(slot);
    if (adjustment?.action === 'skip') return { note: adjustment.reason };
    if (adjustment?.action === 'move') {
      return { at: adjustment.to, note: adjustment.reason };
    }
    const free = hoursOf(week, plan.hours, freezes);
    if (free.length === 0) {
      return {
        note: 'Every working hour of the week is frozen, or it has none',
      };
    }
    const first = hashOf(slot) % free.length;
    const at = free
      .map((_, step) => free[(first + step) % free.length])
      .find(time => !occupied(cell, time).some(o => taken.has(o)));
    return at === undefined
      ? {
          note: 'Every working hour of the week is taken by another experiment on the path or of the team',
        }
      : { at };
  };
  for (const week of weeks) {
    const inWeek = teams
      .flatMap(plan =>
        byNeed(plan.cells, seen, week.key)
          .slice(0, plan.perWeek)
          .map((cell, n) => ({
            plan,
            slot: `${week.key}/${plan.team}/${n + 1}`,
            cell,
          })),
      )
      // What people moved stands; then in an order of its own each week, so that nobody always gets what is left.
      .sort(
        (a, b) =>
          Number(adjustments.get(b.slot)?.action === 'move') -
            Number(adjustments.get(a.slot)?.action === 'move') ||
          hashOf(a.slot) - hashOf(b.slot) ||
          a.slot.localeCompare(b.slot),
      );
    for (const { plan, slot, cell } of inWeek) {
      const turn: Turn = { slot, week: week.key, team: plan.team, cell };
      Object.assign(turn, place(turn, plan, week));
      if (turn.at !== undefined) {
        occupied(cell, turn.at).forEach(o => taken.add(o));
        seen.push({
          criticalPath: cell.criticalPath,
          step: cell.step,
          kind: cell.kind,
          verdict: 'passed',
          at: turn.at,
        });
      }
      turns.push(turn);
    }
  }
  return turns.sort(
    (a, b) =>
      a.week.localeCompare(b.week) ||
      (a.at ?? Infinity) - (b.at ?? Infinity) ||
      a.slot.localeCompare(b.slot),
  );
}
