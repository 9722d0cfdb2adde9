import { setImmediate } from 'node:timers/promises';
import { AttributeValue } from '../store/Column';
import { EventStore } from '../store/EventStore';
import { Segment } from '../store/Segment';
import { Aggregate } from './Aggregate';
import { createAggregate } from './aggregates';
import { bindCondition } from './evaluate';
import { attributeFacets, caseFacets, FacetIndex, noFacets } from './facets';
import { NrqlError } from './parse';
import { Plan } from './plan';
import { Window } from './window';

/** How a run may be bounded. */
export interface RunOptions {
  /** Epoch milliseconds (of Date.now) after which the query is given up. */
  deadline?: number;
  /** Events of these times are not seen: from <= timestamp < to, epoch milliseconds. */
  hidden?: { from: number; to: number }[];
}

/** What a query looked at. */
export interface RunStats {
  /** Events in the window. */
  inspected: number;
  /** Of those, the ones that met WHERE. */
  matched: number;
}

/** The aggregates of a query after its events were read. */
export interface Aggregated extends RunStats {
  aggregates: Aggregate[];
  facets: FacetIndex;
  /** Matched events, by facet number. */
  frequency: number[];
}

/** Memory that a query may take for its groups, in numbers of 8 bytes. */
const MAX_CELLS = 20_000_000;
/** How long a query works before others get their turn, milliseconds. */
const TURN = 25;

/** Reads the events of a window into the aggregates of a plan. */
export async function aggregate(
  store: EventStore,
  accounts: number[],
  plan: Plan,
  window: Window,
  options: RunOptions = {},
): Promise<Aggregated> {
  const aggregates = plan.aggregates.map(spec =>
    createAggregate(spec, plan.extrapolate),
  );
  const cells = aggregates.reduce((sum, a) => sum + a.cells, 1);
  const facets = facetIndex(plan);
  const frequency: number[] = [];
  const stats = { inspected: 0, matched: 0 };
  let rows = new Int32Array(0);
  let groups = new Int32Array(0);
  const { buckets } = window;
  const step = window.step ?? window.end - window.begin;
  let known = 0;

  for await (const segment of segments(
    store,
    accounts,
    plan,
    window,
    options,
  )) {
    const [begin, end] = segment.range(window.begin, window.end);
    if (rows.length < end - begin) {
      rows = new Int32Array(end - begin);
      groups = new Int32Array(end - begin);
    }
    stats.inspected += end - begin;
    const test = plan.where ? bindCondition(plan.where, segment) : true;
    const facetOf = facets.bind(segment, begin, end);
    const { timestamps } = segment;
    let n = 0;
    for (let row = begin; test !== false && row < end; row += 1) {
      if (test === true || test(row)) {
        const facet = facetOf(row);
        frequency[facet] = (frequency[facet] ?? 0) + 1;
        rows[n] = row;
        groups[n] =
          facet * buckets +
          (buckets === 1
            ? 0
            : Math.floor((timestamps[row] - window.begin) / step));
        n += 1;
      }
    }
    stats.matched += n;
    if (facets.names.length > known) {
      known = facets.names.length;
      if (known * buckets * cells > MAX_CELLS) {
        throw new NrqlError(
          "We're sorry, but that query is a little too big. Try a shorter window, fewer facets or fewer columns.",
        );
      }
      for (const item of aggregates) item.grow(known * buckets);
    }
    for (const item of aggregates) item.update(segment, rows, groups, n);
  }
  aggregates.forEach(item => item.grow(facets.names.length * buckets));
  return { ...stats, aggregates, facets, frequency };
}

/** Lists the newest events of a window, newest first. */
export async function listEvents(
  store: EventStore,
  accounts: number[],
  plan: Plan,
  window: Window,
  options: RunOptions = {},
): Promise<RunStats & { rows: Record<string, AttributeValue | null>[] }> {
  const found: { timestamp: number; segment: Segment; row: number }[] = [];
  const stats = { inspected: 0, matched: 0 };
  const all: Segment[] = [];
  for await (const segment of segments(
    store,
    accounts,
    plan,
    window,
    options,
  )) {
    all.push(segment);
  }
  all.sort((a, b) => b.begin - a.begin);
  let oldestNeeded = -Infinity;
  for (const segment of all) {
    // Segments are hours: all of this one may be older than what was found.
    if (segment.end <= oldestNeeded) break;
    const [begin, end] = segment.range(window.begin, window.end);
    stats.inspected += end - begin;
    const test = plan.where ? bindCondition(plan.where, segment) : true;
    let taken = 0;
    for (
      let row = end - 1;
      test !== false && row >= begin && taken < plan.limit;
      row -= 1
    ) {
      if (test === true || test(row)) {
        found.push({ timestamp: segment.timestamps[row], segment, row });
        taken += 1;
      }
    }
    found.sort((a, b) => b.timestamp - a.timestamp);
    if (found.length > plan.limit) found.length = plan.limit;
    if (found.length === plan.limit && plan.limit > 0) {
      oldestNeeded = found[found.length - 1].timestamp;
    }
  }
  stats.matched = found.length;
  const rows = found.map(({ timestamp, segment, row }) => {
    if (plan.columns === '*') {
      return { ...segment.attributes(row), timestamp };
    }
    const result: Record<string, AttributeValue | null> = { timestamp };
    for (const { key, attribute } of plan.columns ?? []) {
      result[key] =
        attribute === 'timestamp'
          ? timestamp
          : segment.columns.get(attribute)?.get(row) ?? null;
    }
    return result;
  });
  return { ...stats, rows };
}

/**
 * The segments of a window, with a pause for the rest of the process now and
 * then. A segment may grow between two turns, so it is bound after it is handed out.
 */
async function* segments(
  store: EventStore,
  accounts: number[],
  plan: Plan,
  window: Window,
  options: RunOptions,
): AsyncGenerator<Segment> {
  let turn = Date.now();
  for (const account of accounts) {
    for (const type of new Set(plan.from)) {
      for (const segment of store.segments(
        account,
        type,
        window.begin,
        window.end,
      )) {
        yield segment;
        if (Date.now() - turn > TURN) {
          await setImmediate();
          turn = Date.now();
          if (options.deadline !== undefined && turn > options.deadline) {
            throw new NrqlError(
              'NRDB query duration exceeded the set timeout',
              'TIMEOUT',
            );
          }
        }
      }
    }
  }
}

function facetIndex(plan: Plan): FacetIndex {
  if (plan.cases) return caseFacets(plan.cases);
  if (plan.facets) {
    return attributeFacets(plan.facets.map(({ attribute }) => attribute));
  }
  return noFacets();
}
