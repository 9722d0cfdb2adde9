import type { FaultKind } from './faults';
import type { Verdict } from './verdict';

const DAY = 24 * 60 * 60 * 1000;
/** Age from which a result counts as expired, in days. */
export const EXPIRED_DAYS = 7;
/** Age from which an expired result says next to nothing, in days. */
export const LONG_EXPIRED_DAYS = 30;

/** How old the evidence is: `fresh` green, `expired` yellow, `long-expired` grey. */
export type Freshness = 'fresh' | 'expired' | 'long-expired' | 'none';

/** The formula in words, printed beside each score. */
export const SCORE_FORMULA =
  `Mean over all steps of critical paths and kinds of fault, weighted by the path: ` +
  `passed 100, passed more than ${EXPIRED_DAYS} days ago 75, more than ${LONG_EXPIRED_DAYS} days ago 60; ` +
  `failed or aborted 50, more than ${EXPIRED_DAYS} days ago 40, more than ${LONG_EXPIRED_DAYS} days ago 25; ` +
  `never run 0. Inconclusive runs change nothing.`;

const POINTS: Record<
  'passed' | 'failed',
  Record<Exclude<Freshness, 'none'>, number>
> = {
  // Expired stays above failed: it held once.
  passed: { fresh: 100, expired: 75, 'long-expired': 60 },
  // Looking and finding is worth more than not looking.
  failed: { fresh: 50, expired: 40, 'long-expired': 25 },
};

/** What has to be tried: one kind of fault at one step of one path. */
export interface Cell {
  criticalPath: string;
  step: string;
  component: string;
  team: string;
  kind: FaultKind;
  /** Weight of the path; 1 for all unless the path says otherwise. */
  weight: number;
}

/** A run as scores see it. */
export interface RunSummary {
  criticalPath: string;
  step: string;
  kind: FaultKind;
  verdict: Verdict;
  /** When it ended, milliseconds. */
  at: number;
}

export interface CellScore {
  cell: Cell;
  /** The newest run that counts; undefined for never. */
  last?: RunSummary;
  freshness: Freshness;
  points: number;
}

export interface Score {
  /** 0 to 100; null without any cell. */
  score: number | null;
  /** Cells with a result, of all. */
  covered: number;
  required: number;
  /** Of them fresh. */
  fresh: number;
  cells: CellScore[];
}

const key = (of: Pick<Cell, 'criticalPath' | 'step' | 'kind'>) =>
  `${of.criticalPath} ${of.step} ${of.kind}`;

/** How old a result is by the board's colours. */
export function freshnessOf(at: number | undefined, now: number): Freshness {
  if (at === undefined) return 'none';
  const age = now - at;
  if (age > LONG_EXPIRED_DAYS * DAY) return 'long-expired';
  return age > EXPIRED_DAYS * DAY ? 'expired' : 'fresh';
}

/** Points of a result of that age; see {@link SCORE_FORMULA}. */
export function pointsOf(verdict: Verdict | undefined, freshness: Freshness) {
  if (freshness === 'none') return 0;
  switch (verdict) {
    case 'passed':
      return POINTS.passed[freshness];
    case 'failed':
    case 'aborted':
      return POINTS.failed[freshness];
    default:
      return 0;
  }
}

const COUNTS: readonly Verdict[] = ['passed', 'failed', 'aborted'];

/** The resilience score of a set of cells at a moment; runs after it do not count. */
export function scoreOf(cells: Cell[], runs: RunSummary[], now: number): Score {
  const newest = new Map<string, RunSummary>();
  for (const run of runs) {
    if (run.at > now || !COUNTS.includes(run.verdict)) continue;
    const known = newest.get(key(run));
    if (!known || run.at > known.at) newest.set(key(run), run);
  }
  const scored = cells.map((cell): CellScore => {
    const last = newest.get(key(cell));
    const freshness = freshnessOf(last?.at, now);
    return {
      cell,
      last,
      freshness,
      points: pointsOf(last?.verdict, freshness),
    };
  });
  const weight = cells.reduce((total, cell) => total + cell.weight, 0);
  return {
    score:
      weight > 0
        ? scored.reduce(
            (total, { cell, points }) => total + cell.weight * points,
            0,
          ) / weight
        : null,
    covered: scored.filter(({ last }) => last).length,
    required: cells.length,
    fresh: scored.filter(({ freshness }) => freshness === 'fresh').length,
    cells: scored,
  };
}
