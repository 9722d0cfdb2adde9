import { Aggregate } from './Aggregate';
import { Aggregated } from './execute';
import { calculate } from './evaluate';
import { Output, Plan } from './plan';
import { Window } from './window';

/** One row of `results`: facet first, then the other keys in order. */
export type Row = Record<string, unknown>;

/** Rows and totals as NerdGraph answers them. */
export interface ShapedResult {
  results: Row[];
  /** Object with FACET, array with FACET and TIMESERIES, else null. */
  totalResult: Row | Row[] | null;
  /** What the facets that are not shown add up to. */
  otherResult: Row | Row[] | null;
}

/** Functions whose value decides which facets are shown. */
const ORDERING = ['count', 'min', 'max', 'average', 'percentile'];

/** Makes the rows of an aggregating query. */
export function shapeResult(
  plan: Plan,
  window: Window,
  data: Aggregated,
): ShapedResult {
  const rows = (facet: number, names: Row) =>
    bucketRows(plan, window, data.aggregates, facet, names);
  if (!plan.facets && !plan.cases) {
    return { results: rows(0, {}), totalResult: null, otherResult: null };
  }

  const { buckets } = window;
  const facets = data.facets.names.length;
  const ordered = orderFacets(plan, window, data);
  const shown = ordered.slice(0, plan.limit);
  // Two more "facets": what is not shown, and everything.
  const [other, total] = [facets + 1, facets + 2];
  for (const aggregate of data.aggregates) {
    aggregate.grow((total + 1) * buckets);
    const visible = new Set(shown);
    for (let facet = 0; facet < facets; facet += 1) {
      for (let bucket = 0; bucket < buckets; bucket += 1) {
        const from = facet * buckets + bucket;
        if (!visible.has(facet)) {
          aggregate.merge(other * buckets + bucket, from);
        }
        aggregate.merge(total * buckets + bucket, from);
      }
    }
  }
  const results = shown.flatMap(facet =>
    rows(facet, facetNames(plan, data.facets.names[facet] ?? [])),
  );
  const [totalRows, otherRows] = [rows(total, {}), rows(other, {})];
  return window.step === undefined
    ? { results, totalResult: totalRows[0], otherResult: otherRows[0] }
    : { results, totalResult: totalRows, otherResult: otherRows };
}

/** A single facet is a string and shown under its own name too, several are an array. */
function facetNames(plan: Plan, values: string[]): Row {
  if (plan.cases) return { facet: values[0] };
  const facets = plan.facets ?? [];
  if (facets.length > 1) return { facet: values };
  return { facet: values[0], [facets[0].key]: values[0] };
}

function bucketRows(
  plan: Plan,
  window: Window,
  aggregates: Aggregate[],
  facet: number,
  names: Row,
): Row[] {
  const rows: Row[] = [];
  // What a key holds, in the order of the keys; an alias wins over a facet.
  const values: Record<string, (group: number, bucket: number) => unknown> = {};
  for (const [key, value] of Object.entries(names)) values[key] = () => value;
  const { step } = window;
  if (step !== undefined) {
    const seconds = (bucket: number) =>
      Math.floor((window.begin + bucket * step) / 1000);
    values.beginTimeSeconds = (_, bucket) => seconds(bucket);
    values.endTimeSeconds = (_, bucket) => seconds(bucket + 1);
  }
  for (const { key, output } of plan.items ?? []) {
    values[key] = group => valueOf(output, aggregates, group, window);
  }
  const columns = Object.entries(inKeyOrder(values)) as [
    string,
    (group: number, bucket: number) => unknown,
  ][];
  for (let bucket = 0; bucket < window.buckets; bucket += 1) {
    const group = facet * window.buckets + bucket;
    const row: Row = {};
    for (const [key, value] of columns) row[key] = value(group, bucket);
    rows.push(row);
  }
  return rows;
}

/** Facet first, the rest byte by byte, as New Relic answers. */
export function inKeyOrder(row: Row): Row {
  const result: Row = {};
  if ('facet' in row) result.facet = row.facet;
  for (const key of Object.keys(row).sort()) result[key] = row[key];
  return result;
}

function valueOf(
  output: Output,
  aggregates: Aggregate[],
  group: number,
  window: Window,
): unknown {
  const number = (inner: Output): number | null => {
    const value = valueOf(inner, aggregates, group, window);
    return typeof value === 'number' ? value : null;
  };
  switch (output.kind) {
    case 'aggregate':
      return aggregates[output.slot].result(group, window.step !== undefined);
    case 'rung': {
      const rungs = aggregates[output.slot].result(group, false) as number[];
      return rungs[output.index];
    }
    case 'constant':
      return output.value;
    case 'arithmetic': {
      const left = number(output.left);
      const right = number(output.right);
      if (left === null || right === null) return null;
      return finite(calculate(output.op, left, right));
    }
    case 'percentage': {
      const part = number(output.part);
      const total = number(output.total);
      return part === null || total === null
        ? null
        : finite((part / total) * 100);
    }
    case 'rate': {
      const value = number(output.of);
      const span = window.step ?? window.end - window.begin;
      return value === null ? null : finite(value / (span / output.perMs));
    }
    default: {
      const value = number(output.of);
      if (value === null) return null;
      return output.largest
        ? Math.min(value, output.limit)
        : Math.max(value, output.limit);
    }
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/**
 * Facet numbers, the first to be shown first: by the first column when it is a
 * plain count, min, max, average or percentile (facets without a value of it
 * are not shown), else by how often the facet occurs.
 */
function orderFacets(plan: Plan, window: Window, data: Aggregated): number[] {
  const { names } = data.facets;
  const numbers = names.map((_, i) => i).slice(1);
  const output = plan.items?.[0].output;
  const spec =
    output?.kind === 'aggregate' ? plan.aggregates[output.slot] : undefined;
  const byValue = spec && !spec.filter && ORDERING.includes(spec.fn);

  const weight = new Map<number, number>();
  for (const facet of numbers) {
    const frequency = data.frequency[facet] ?? 0;
    if (!byValue || output?.kind !== 'aggregate') {
      weight.set(facet, frequency);
    } else {
      const value = wholeWindow(data, output.slot, facet, window.buckets);
      const counts = spec.fn === 'count' ? value !== 0 : value !== null;
      if (counts && value !== null) weight.set(facet, value);
    }
  }
  return numbers
    .filter(facet => weight.has(facet) && (data.frequency[facet] ?? 0) > 0)
    .sort(
      (a, b) =>
        weight.get(b)! - weight.get(a)! ||
        (data.frequency[b] ?? 0) - (data.frequency[a] ?? 0) ||
        compareNames(names[a]!, names[b]!),
    );
}

/** A column's value over all buckets of a facet. */
function wholeWindow(
  data: Aggregated,
  slot: number,
  facet: number,
  buckets: number,
): number | null {
  const aggregate = data.aggregates[slot];
  let group = facet * buckets;
  if (buckets > 1) {
    // A group of its own behind all others, one for each facet.
    const facets = data.facets.names.length;
    group = (facets + 3) * buckets + facet;
    aggregate.grow((facets + 3) * buckets + facets);
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      aggregate.merge(group, facet * buckets + bucket);
    }
  }
  const value = aggregate.result(group, false);
  if (value !== null && typeof value === 'object') {
    const [first] = Object.values(value);
    return first ?? null;
  }
  return typeof value === 'number' ? value : null;
}

function compareNames(a: string[], b: string[]): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
