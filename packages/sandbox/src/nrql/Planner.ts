import { AggregateSpec } from './Aggregate';
import { ArgumentReader } from './ArgumentReader';
import { Argument, Condition, Expr, Query, SelectItem } from './ast';
import { NrqlError } from './parse';
import { MAX_LIMIT, Output, Plan, PlanItem } from './plan';

const RESULT_NAMES: Record<string, string> = { uniquecount: 'uniqueCount' };
/** Functions whose value can take part in arithmetic, percentage and rate. */
const NUMERIC = [
  'count',
  'sum',
  'average',
  'stddev',
  'min',
  'max',
  'uniqueCount',
  'ladder',
];

/** Checks the functions and arguments of a parsed query. Throws `NrqlError`. */
export class Planner extends ArgumentReader {
  private readonly aggregates: AggregateSpec[] = [];
  private readonly slots = new Map<string, number>();
  private readonly ladders = new Map<
    number,
    { rungs: { kind: 'rung'; slot: number; index: number }[] }
  >();

  constructor(text: string, private readonly query: Query) {
    super(text);
  }

  plan(): Plan {
    const { query } = this;
    if (query.where) this.checkCondition(query.where);
    const facets = this.facets();
    const lists = query.select.some(
      item => item.star || item.expr.type === 'attribute',
    );
    const faceted = facets !== undefined || query.cases !== undefined;
    const plan: Plan = {
      from: query.from,
      where: query.where,
      aggregates: this.aggregates,
      facets,
      cases: query.cases,
      limit: MAX_LIMIT,
      extrapolate: query.extrapolate,
    };
    if (lists) {
      plan.columns = this.columns();
      if (faceted || query.step) {
        throw new NrqlError(
          'FACET and TIMESERIES are not supported on events.',
        );
      }
    } else {
      plan.items = this.items();
      this.sortLadders();
    }
    if (query.limit !== 'max') plan.limit = query.limit ?? (lists ? 100 : 10);
    return plan;
  }

  private columns(): Plan['columns'] {
    const { select } = this.query;
    const star = select.find(item => item.star);
    if (star) {
      if (select.length > 1)
        throw this.refuse((select[0] === star ? select[1] : star).at);
      return '*';
    }
    return select.map(item => {
      if (item.star || item.expr.type !== 'attribute')
        throw this.refuse(item.at);
      return { key: item.alias ?? item.expr.name, attribute: item.expr.name };
    });
  }

  private items(): PlanItem[] {
    const items: PlanItem[] = [];
    for (const item of this.query.select) {
      if (item.star) throw this.refuse(item.at);
      const key = item.alias ?? defaultKey(item);
      const known = items.find(other => other.key === key);
      const output = this.output(item.expr, undefined);
      if (!known) items.push({ key, output });
      else if (JSON.stringify(known.output) !== JSON.stringify(output)) {
        // Two columns of one name: one of them would silently be lost.
        throw this.refuse(item.at);
      }
    }
    return items;
  }

  private facets(): Plan['facets'] {
    const { facet, cases } = this.query;
    cases?.forEach(({ condition }) => this.checkCondition(condition));
    if (facet && facet.length > 5) throw this.refuse(facet[5].at);
    return facet?.map(({ expr, alias, at }) => {
      if (expr.type !== 'attribute') throw this.refuse(at);
      return { attribute: expr.name, key: alias ?? expr.name };
    });
  }

  private output(expr: Expr, filter: Condition | undefined): Output {
    switch (expr.type) {
      case 'number':
        return { kind: 'constant', value: expr.value };
      case 'arithmetic': {
        const left = this.numeric(expr.left, filter);
        const right = this.numeric(expr.right, filter);
        return { kind: 'arithmetic', op: expr.op, left, right };
      }
      case 'call':
        return this.call(expr, filter);
      default:
        throw this.refuse(expr.at);
    }
  }

  /** As `output`, for a place where only a number makes sense. */
  private numeric(expr: Expr, filter: Condition | undefined): Output {
    const output = this.output(expr, filter);
    if (
      output.kind === 'aggregate' &&
      !NUMERIC.includes(this.aggregates[output.slot].fn)
    ) {
      throw this.refuse(expr.at);
    }
    return output;
  }

  private call(
    expr: Expr & { type: 'call' },
    filter: Condition | undefined,
  ): Output {
    const { name, args, at } = expr;
    switch (name) {
      case 'filter':
      case 'percentage': {
        this.argumentCount(expr, 2, 2);
        const inner = this.aggregateArgument(args[0]);
        if (args[1].kind !== 'where') throw this.refuse(args[1].at);
        this.checkCondition(args[1].condition);
        const narrowed = and(filter, args[1].condition);
        if (name === 'filter') return this.output(inner, narrowed);
        return {
          kind: 'percentage',
          part: this.numeric(inner, narrowed),
          total: this.numeric(inner, filter),
        };
      }
      case 'rate': {
        this.argumentCount(expr, 2, 2);
        const inner = this.aggregateArgument(args[0]);
        if (args[1].kind !== 'duration' || args[1].ms <= 0) {
          throw this.refuse(args[1].at);
        }
        const of = this.numeric(inner, filter);
        return { kind: 'rate', of, perMs: args[1].ms };
      }
      case 'clamp_max':
      case 'clamp_min': {
        this.argumentCount(expr, 2, 2);
        if (args[0].kind !== 'expr') throw this.refuse(args[0].at);
        return {
          kind: 'clamp',
          of: this.numeric(args[0].expr, filter),
          largest: name === 'clamp_max',
          limit: this.constant(args[1]),
        };
      }
      case 'count': {
        this.argumentCount(expr, 1, 1);
        const of = args[0].kind === 'star' ? undefined : this.scalar(args[0]);
        if (!of || of.type === 'number') return this.countOf(undefined, filter);
        return this.countOf(of, filter);
      }
      case 'sum':
      case 'average':
      case 'stddev':
      case 'min':
      case 'max':
      case 'latest':
      case 'earliest':
      case 'uniquecount': {
        this.argumentCount(expr, 1, 1);
        const fn = name === 'uniquecount' ? 'uniqueCount' : name;
        return this.slot({ fn, of: this.scalar(args[0]), filter });
      }
      case 'uniques': {
        this.argumentCount(expr, 1, 2);
        const limit = args[1] ? this.integer(args[1], 1, 10_000) : 1000;
        return this.slot({
          fn: 'uniques',
          of: this.scalar(args[0]),
          limit,
          filter,
        });
      }
      case 'median':
        this.argumentCount(expr, 1, 1);
        return this.percentile(args[0], [50], filter);
      case 'percentile': {
        this.argumentCount(expr, 1, 20);
        const points = args.slice(1).map(arg => {
          const point = this.constant(arg);
          if (point < 0 || point > 100) throw this.refuse(arg.at);
          return point;
        });
        return this.percentile(args[0], points.length ? points : [95], filter);
      }
      case 'apdex': {
        this.argumentCount(expr, 1, 2);
        const t = args[1] ? this.labelled(args[1], ['t']).value : 0.5;
        if (t <= 0) throw this.refuse(args[1].at);
        return this.slot({ fn: 'apdex', of: this.scalar(args[0]), t, filter });
      }
      case 'histogram':
        return this.histogram(expr, filter);
      default:
        throw this.refuse(at);
    }
  }

  private percentile(
    arg: Argument,
    points: number[],
    filter: Condition | undefined,
  ): Output {
    return this.slot({
      fn: 'percentile',
      of: this.scalar(arg),
      points,
      filter,
    });
  }

  private histogram(
    expr: Expr & { type: 'call' },
    filter: Condition | undefined,
  ): Output {
    this.argumentCount(expr, 1, 4);
    const [first, ...rest] = expr.args;
    const names = ['width', 'buckets', 'start'];
    const given = new Map<string, { value: number; at: number }>();
    rest.forEach((arg, position) => {
      const { label, value } = this.labelled(
        arg,
        // `ceiling` is the older name of the second argument.
        [...names, 'ceiling'],
        names[position],
      );
      const name = label === 'ceiling' ? 'width' : label;
      if (given.has(name)) throw this.refuse(arg.at);
      given.set(name, { value, at: arg.at });
    });
    const width = given.get('width') ?? { value: 10, at: expr.at };
    const buckets = given.get('buckets') ?? { value: 40, at: expr.at };
    if (width.value <= 0) throw this.refuse(width.at);
    const valid = Number.isInteger(buckets.value) && buckets.value >= 1;
    if (!valid || buckets.value > 500) throw this.refuse(buckets.at);
    return this.slot({
      fn: 'histogram',
      of: this.scalar(first),
      width: width.value,
      buckets: buckets.value,
      start: given.get('start')?.value ?? 0,
      filter,
    });
  }

  /**
   * A count. One that is filtered by `attribute <= constant` (and perhaps by
   * more) becomes a rung of a ladder, which counts for all its thresholds in
   * one reading.
   */
  private countOf(of: Expr | undefined, filter: Condition | undefined): Output {
    if (of || !filter) return this.slot({ fn: 'count', of, filter });
    const terms = filter.type === 'and' ? filter.terms : [filter];
    const isRung = (term: Condition) =>
      term.type === 'compare' &&
      (term.op === '<=' || term.op === '<') &&
      term.right.type === 'number' &&
      (term.left.type === 'attribute' || term.left.type === 'call');
    const found = terms.filter(isRung);
    const [rung] = found;
    if (found.length !== 1 || rung.type !== 'compare') {
      return this.slot({ fn: 'count', of, filter });
    }
    const others = terms.filter(term => term !== rung);
    const spec: AggregateSpec = {
      fn: 'ladder',
      of: rung.left,
      strict: rung.op === '<',
      thresholds: [],
      filter: others.length ? { type: 'and', terms: others } : undefined,
    };
    const { slot } = this.slot(spec);
    // The slot may be an older one: its thresholds are those that count.
    const { thresholds } = this.aggregates[slot] as typeof spec;
    const threshold = (rung.right as { value: number }).value;
    let index = thresholds.indexOf(threshold);
    if (index < 0) index = thresholds.push(threshold) - 1;
    const output = { kind: 'rung' as const, slot, index };
    const ladder = this.ladders.get(slot) ?? { rungs: [] };
    ladder.rungs.push(output);
    this.ladders.set(slot, ladder);
    return output;
  }

  /** Ladders need ascending thresholds; their rungs are renumbered. */
  private sortLadders() {
    for (const [slot, { rungs }] of this.ladders) {
      const spec = this.aggregates[slot] as AggregateSpec & { fn: 'ladder' };
      const before = [...spec.thresholds];
      spec.thresholds.sort((a, b) => a - b);
      for (const rung of rungs) {
        rung.index = spec.thresholds.indexOf(before[rung.index]);
      }
    }
  }

  private slot(spec: AggregateSpec): { kind: 'aggregate'; slot: number } {
    const key = structure(spec);
    let slot = this.slots.get(key);
    if (slot === undefined) {
      slot = this.aggregates.push(spec) - 1;
      this.slots.set(key, slot);
    }
    return { kind: 'aggregate', slot };
  }
}

/** Key of a column without alias: `count`, `average.duration`, `rate`. */
function defaultKey(item: SelectItem & { star?: undefined }): string {
  const { expr } = item;
  if (expr.type === 'number') return 'constant';
  if (expr.type !== 'call') return 'result';
  const name = RESULT_NAMES[expr.name] ?? expr.name;
  const [arg] = expr.args;
  if (arg?.kind !== 'expr') return name;
  if (arg.expr.type === 'attribute') return `${name}.${arg.expr.name}`;
  return name;
}

function and(a: Condition | undefined, b: Condition): Condition {
  if (!a) return b;
  const terms = [a, b].flatMap(c => (c.type === 'and' ? c.terms : [c]));
  return { type: 'and', terms };
}

/** Text that is the same for equal aggregates, wherever they were written. */
function structure(spec: AggregateSpec): string {
  return JSON.stringify(spec, (key, value) =>
    key === 'at' || key === 'thresholds' ? undefined : value,
  );
}
