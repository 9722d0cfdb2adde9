import { randomUUID } from 'node:crypto';
import { EventStore } from '../store/EventStore';
import { Condition, Expr } from './ast';
import { aggregate, listEvents, RunOptions, RunStats } from './execute';
import { parseNrql } from './parse';
import { Plan } from './plan';
import { Planner } from './Planner';
import { inKeyOrder, Row, shapeResult, ShapedResult } from './results';
import { resolveWindow, Window } from './window';

/** NerdGraph's `NrdbResultContainer`, as far as the sandbox fills it. */
export interface NrdbResultContainer extends ShapedResult {
  nrql: string;
  currentResults: null;
  previousResults: null;
  metadata: {
    eventTypes: string[];
    facets: string[] | null;
    messages: string[];
    timeWindow: {
      /** Epoch milliseconds. */
      begin: number;
      end: number;
      since: string;
      until: string;
      compareWith: null;
    };
  };
  queryProgress: {
    completed: true;
    queryId: null;
    resultExpiration: null;
    retryAfter: null;
    retryDeadline: null;
  };
  /** The form of the database behind NerdGraph; its rows are the same ones. */
  rawResponse: () => Record<string, unknown>;
}

/**
 * Answers an NRQL query over the events of some accounts. Throws `NrqlError`
 * with New Relic's message for what it refuses.
 */
export async function runNrql(
  store: EventStore,
  accounts: number[],
  nrql: string,
  now: number,
  options?: RunOptions,
): Promise<NrdbResultContainer> {
  const started = Date.now();
  const query = parseNrql(nrql);
  const plan = new Planner(nrql, query).plan();
  plan.where = hide(plan.where, options?.hidden ?? []);
  const window = resolveWindow(nrql, query, now);
  let shaped: ShapedResult;
  let stats: RunStats;
  if (plan.items) {
    const data = await aggregate(store, accounts, plan, window, options);
    shaped = shapeResult(plan, window, data);
    stats = data;
  } else {
    const events = await listEvents(store, accounts, plan, window, options);
    const results = events.rows.map(inKeyOrder);
    shaped = { results, totalResult: null, otherResult: null };
    stats = events;
  }
  const wallClockTime = Date.now() - started;
  return {
    nrql,
    ...shaped,
    currentResults: null,
    previousResults: null,
    metadata: {
      eventTypes: plan.from,
      facets: facetLabels(plan),
      messages: [],
      timeWindow: {
        begin: window.begin,
        end: window.end,
        since: window.since,
        until: window.until,
        compareWith: null,
      },
    },
    queryProgress: {
      completed: true,
      queryId: null,
      resultExpiration: null,
      retryAfter: null,
      retryDeadline: null,
    },
    rawResponse: () =>
      rawResponse(accounts, plan, window, shaped, { ...stats, wallClockTime }),
  };
}

/** Adds a condition that keeps the events of some times out. */
function hide(
  where: Condition | undefined,
  times: { from: number; to: number }[],
): Condition | undefined {
  if (times.length === 0) return where;
  const timestamp: Expr = { type: 'attribute', name: 'timestamp', at: 0 };
  const compare = (op: '<' | '>=', value: number): Condition => ({
    type: 'compare',
    op,
    left: timestamp,
    right: { type: 'number', value, at: 0 },
    at: 0,
  });
  const outside = times.map(
    ({ from, to }): Condition => ({
      type: 'or',
      terms: [compare('<', from), compare('>=', to)],
    }),
  );
  return { type: 'and', terms: [...(where ? [where] : []), ...outside] };
}

function facetLabels(plan: Plan): string[] | null {
  if (plan.cases) return plan.cases.map(({ alias, text }) => alias ?? text);
  return plan.facets?.map(({ key }) => key) ?? null;
}

function rawResponse(
  accounts: number[],
  plan: Plan,
  window: Window,
  shaped: ShapedResult,
  stats: RunStats & { wallClockTime: number },
): Record<string, unknown> {
  const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  const guid = randomUUID();
  const facets = facetLabels(plan);
  const body: Record<string, unknown> = {};
  const withoutNames = ({ facet, ...row }: Row) => {
    if (facets?.length === 1) delete row[facets[0]];
    return row;
  };
  if (!plan.items) {
    body.results = [{ events: shaped.results }];
  } else if (facets) {
    const byFacet = new Map<string, { name: unknown; rows: Row[] }>();
    for (const row of shaped.results) {
      const key = JSON.stringify(row.facet);
      const entry = byFacet.get(key) ?? { name: row.facet, rows: [] };
      entry.rows.push(withoutNames(row));
      byFacet.set(key, entry);
    }
    body.facets = [...byFacet.values()].map(({ name, rows }) =>
      window.step === undefined
        ? { name, results: rows }
        : { name, timeSeries: rows },
    );
    body.totalResult = shaped.totalResult;
    body.unknownGroup = shaped.otherResult;
  } else if (window.step === undefined) {
    body.results = shaped.results;
  } else {
    body.timeSeries = shaped.results;
  }
  return {
    ...body,
    metadata: {
      accounts,
      beginTime: iso(window.begin),
      beginTimeMillis: window.begin,
      endTime: iso(window.end),
      endTimeMillis: window.end,
      eventType: plan.from[0],
      eventTypes: plan.from,
      facet: facets && facets.length === 1 ? facets[0] : facets ?? undefined,
      guid,
      messages: [],
      openEnded: window.until === 'NOW',
      rawCompareWith: '',
      rawSince: window.since,
      rawUntil: window.until,
      routerGuid: guid,
    },
    performanceStats: {
      exceedsRetentionWindow: false,
      inspectedCount: stats.inspected,
      matchCount: stats.matched,
      omittedCount: 0,
      wallClockTime: stats.wallClockTime,
    },
  };
}
