import {
  AttributionTotals,
  stepFactors,
  type Aggregation,
  type Attribution,
  type AttributionSummary,
  type StepCounts,
} from '@rocket/plugin-critical-paths-common';
import { isoOfMinute } from '../service/figures';
import type { BurnRow, BurnStore } from '../store/BurnStore';

const HOUR = 60;
const DAY = 1440;
/** Hours that are kept in memory: enough for a window of a day. */
const HOURS_KEPT = 26 * HOUR;
const DAYS_KEPT = 32 * DAY;
/** How often, at most, new rows are asked for. */
const REFRESH_MS = 5000;
/** New rows are asked for this far back: clocks of replicas differ, and writes take time to be seen. */
const OVERLAP_MS = 120_000;

/** Sums of attribution over a stretch. */
export interface BurnSum {
  /** Minutes since the epoch. */
  from: number;
  totals: AttributionTotals;
  resolution: number;
}

type Rows = Map<number, Omit<BurnRow, 'pathRef' | 'at'>>;

/** The attribution of the last month in memory, for all paths at once. */
export class BurnBook {
  readonly #store: Pick<BurnStore, 'listBurns'>;
  readonly #now: () => number;
  readonly #hours = new Map<string, Rows>();
  readonly #days = new Map<string, Rows>();
  #readAt = -Infinity;
  #newest = 0;
  #reading?: Promise<void>;
  /** Rises whenever rows were taken over. */
  version = 0;

  constructor(options: {
    store: Pick<BurnStore, 'listBurns'>;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#now = options.now ?? Date.now;
  }

  /** Takes over what was written since. */
  async refresh(): Promise<void> {
    if (Math.abs(this.#now() - this.#readAt) < REFRESH_MS) {
      return;
    }
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    const startedAt = this.#now();
    const now = Math.floor(startedAt / 60_000);
    const writtenSince = Math.max(0, this.#newest - OVERLAP_MS);
    let taken = 0;
    for (const [level, rows, kept] of [
      ['hour', this.#hours, HOURS_KEPT],
      ['day', this.#days, DAYS_KEPT],
    ] as const) {
      const from = now - kept;
      for (const row of await this.#store.listBurns(level, {
        writtenSince,
        from,
      })) {
        const own = rows.get(row.pathRef) ?? new Map();
        rows.set(row.pathRef, own);
        own.set(row.at, row);
        taken += 1;
      }
      for (const own of rows.values()) {
        for (const at of own.keys()) {
          if (at < from - DAY) {
            own.delete(at);
          }
        }
      }
    }
    if (taken > 0) {
      this.version += 1;
    }
    this.#newest = startedAt;
    this.#readAt = startedAt;
  }

  /**
   * The sum over `[from, now)`, which starts at a full hour, or at a full UTC
   * day when `from` is more than a day ago.
   */
  sum(pathRef: string, from: number, until: number): BurnSum {
    const long = until - from > DAY + HOUR;
    const step = long ? DAY : HOUR;
    const start = Math.floor(from / step) * step;
    const rows = (long ? this.#days : this.#hours).get(pathRef);
    const totals = new AttributionTotals();
    let resolution = 1;
    for (const [at, row] of rows ?? []) {
      if (at >= start && at < until) {
        totals.addTotals(row.totals);
        resolution = Math.max(resolution, row.resolution);
      }
    }
    return { from: start, totals, resolution };
  }
}

/** Who is who on a path. */
export interface BurnSubject {
  aggregation: Aggregation;
  /** Counts of its steps over the window. */
  steps: StepCounts[];
  /** Bad events that the path's availability objective allows in its window. */
  allowedEvents?: number;
  applications: { entityRef: string; title: string; steps: string[] }[];
}

/** Three decimals of a percentage; rows add up to 100 within 0.1 for 100 applications. */
function percent(part: number, whole: number): number {
  return whole > 0 ? Number(((part / whole) * 100).toFixed(4)) : 0;
}

function events(count: number): number {
  return Number(count.toFixed(3));
}

/** A sum as the page of the path shows it. */
export function toAttribution(
  sum: BurnSum,
  until: number,
  subject: BurnSubject,
): Attribution {
  const charges = sum.totals.combine(
    stepFactors(subject.aggregation, subject.steps),
  );
  const { allowedEvents } = subject;
  const known = new Map(subject.applications.map(a => [a.entityRef, a]));
  // Applications that have left the path since are still to be named.
  const refs = new Set([...known.keys(), ...charges.own.keys()]);
  return {
    from: isoOfMinute(sum.from),
    to: isoOfMinute(until),
    badEvents: events(charges.bad),
    rows: [...refs]
      .map(entityRef => {
        const own = charges.own.get(entityRef) ?? 0;
        const faults = sum.totals.faults.get(entityRef);
        return {
          entityRef,
          title: known.get(entityRef)?.title ?? entityRef,
          steps: known.get(entityRef)?.steps ?? [],
          ownEvents: events(own),
          sharePercent: percent(own, charges.bad),
          budgetPercent:
            allowedEvents !== undefined && allowedEvents > 0
              ? percent(own, allowedEvents)
              : null,
          badEvents: events(faults?.bad ?? 0),
          upstreamEvents: events(faults?.upstream ?? 0),
        };
      })
      .sort(
        (a, b) =>
          b.ownEvents - a.ownEvents || (a.entityRef < b.entityRef ? -1 : 1),
      ),
    unknownEvents: events(charges.unknown),
    unknownPercent: percent(charges.unknown, charges.bad),
    resolutionMinutes: sum.resolution,
  };
}

/** A sum as the board shows it. */
export function toSummary(
  sum: BurnSum,
  until: number,
  subject: BurnSubject,
): AttributionSummary {
  const { from, badEvents, rows, unknownPercent } = toAttribution(
    sum,
    until,
    subject,
  );
  return {
    from,
    badEvents,
    top: rows
      .filter(row => row.ownEvents > 0)
      .slice(0, 3)
      .map(({ entityRef, title, ownEvents, sharePercent }) => ({
        entityRef,
        title,
        ownEvents,
        sharePercent,
      })),
    unknownPercent,
  };
}
