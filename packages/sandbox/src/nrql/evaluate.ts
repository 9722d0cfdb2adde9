import { AttributeValue } from '../store/Column';
import { Segment } from '../store/Segment';
import { CompareOperator, Condition, Expr } from './ast';

type Value = AttributeValue | undefined;
type Lookup = (attribute: string) => Value;

/** Value of an expression for one event; undefined when an attribute is missing. */
function valueOf(expr: Expr, lookup: Lookup): Value {
  switch (expr.type) {
    case 'number':
    case 'string':
      return expr.value;
    case 'attribute':
      return lookup(expr.name);
    case 'call':
      // The plan lets only numeric(x) through.
      return toNumber(valueOf(scalarArgument(expr), lookup));
    default: {
      const left = valueOf(expr.left, lookup);
      const right = valueOf(expr.right, lookup);
      if (typeof left !== 'number' || typeof right !== 'number') {
        return undefined;
      }
      return finite(calculate(expr.op, left, right));
    }
  }
}

/** Left `op` right; not finite for a division by zero. */
export function calculate(
  op: '+' | '-' | '*' | '/',
  left: number,
  right: number,
): number {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      return left / right;
  }
}

/** Whether an event meets a condition. Missing attributes meet no comparison. */
function meets(condition: Condition, lookup: Lookup): boolean {
  switch (condition.type) {
    case 'and':
      return condition.terms.every(term => meets(term, lookup));
    case 'or':
      return condition.terms.some(term => meets(term, lookup));
    case 'not':
      return !meets(condition.term, lookup);
    case 'compare':
      return compare(
        condition.op,
        valueOf(condition.left, lookup),
        valueOf(condition.right, lookup),
      );
    case 'in': {
      const value = valueOf(condition.left, lookup);
      if (value === undefined) return false;
      const found = condition.values.includes(value as string | number);
      return found !== condition.negated;
    }
    case 'like': {
      const value = valueOf(condition.left, lookup);
      if (typeof value !== 'string') return false;
      return like(condition.pattern, value) !== condition.negated;
    }
    default: {
      const value = valueOf(condition.left, lookup);
      const is =
        condition.value === null
          ? value === undefined
          : value === condition.value;
      return is !== condition.negated;
    }
  }
}

function compare(op: CompareOperator, left: Value, right: Value): boolean {
  if (left === undefined || right === undefined) return false;
  if (op === '=') return left === right;
  if (op === '!=') return left !== right;
  if (typeof left !== 'number' || typeof right !== 'number') return false;
  if (op === '<') return left < right;
  if (op === '<=') return left <= right;
  if (op === '>') return left > right;
  return left >= right;
}

/** LIKE: `%` is the only wildcard, upper and lower case are the same. */
export function like(pattern: string, value: string): boolean {
  const text = value.toLowerCase();
  const parts = pattern.toLowerCase().split('%');
  if (parts.length === 1) return text === parts[0];
  const first = parts[0];
  const last = parts[parts.length - 1];
  if (!text.startsWith(first)) return false;
  let position = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return text.length - last.length >= position && text.endsWith(last);
}

/** The one argument of a scalar function that the plan has checked. */
export function scalarArgument(expr: Expr & { type: 'call' }): Expr {
  const [argument] = expr.args;
  if (argument?.kind !== 'expr') throw new Error('not a scalar call');
  return argument.expr;
}

function toNumber(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  return finite(Number(value));
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

/** Names of the attributes that an expression reads. */
export function attributesOf(node: Expr | Condition, into = new Set<string>()) {
  switch (node.type) {
    case 'attribute':
      into.add(node.name);
      break;
    case 'call':
      attributesOf(scalarArgument(node), into);
      break;
    case 'arithmetic':
    case 'compare':
      attributesOf(node.left, into);
      attributesOf(node.right, into);
      break;
    case 'and':
    case 'or':
      node.terms.forEach(term => attributesOf(term, into));
      break;
    case 'not':
      attributesOf(node.term, into);
      break;
    case 'in':
    case 'like':
    case 'is':
      attributesOf(node.left, into);
      break;
    default:
  }
  return into;
}

/** A value of a segment's rows. Numbers that are missing are NaN. */
export type NumberGetter = (row: number) => number;
export type ValueGetter = (row: number) => Value;
/** `true` and `false` stand for all rows and for none. */
export type RowTest = boolean | ((row: number) => boolean);

/** Reads an expression as a number, row by row; what is no number is NaN. */
export function bindNumber(expr: Expr, segment: Segment): NumberGetter {
  if (expr.type === 'attribute') {
    if (expr.name === 'timestamp') {
      const { timestamps } = segment;
      return row => timestamps[row];
    }
    const column = segment.columns.get(expr.name);
    if (column?.kind === 'number') {
      const { data } = column;
      return row => data[row];
    }
  }
  return numbersOnly(bindValue(expr, segment));
}

function numbersOnly(get: ValueGetter): NumberGetter {
  return row => {
    const value = get(row);
    return typeof value === 'number' ? value : NaN;
  };
}

/** Reads an expression row by row. */
export function bindValue(expr: Expr, segment: Segment): ValueGetter {
  return bind(
    expr,
    segment,
    lookup => valueOf(expr, lookup),
    value => () => value,
  );
}

/** Turns a condition into a test of a segment's rows. */
export function bindCondition(condition: Condition, segment: Segment): RowTest {
  if (condition.type === 'not') {
    const test = bindCondition(condition.term, segment);
    return typeof test === 'boolean' ? !test : row => !test(row);
  }
  if (condition.type === 'and' || condition.type === 'or') {
    // `absorbing` decides the whole: false for AND, true for OR.
    const absorbing = condition.type === 'or';
    const tests: ((row: number) => boolean)[] = [];
    for (const term of condition.terms) {
      const test = bindCondition(term, segment);
      if (test === absorbing) return absorbing;
      if (typeof test !== 'boolean') tests.push(test);
    }
    if (tests.length === 0) return !absorbing;
    return tests.reduce((a, b) =>
      absorbing ? row => a(row) || b(row) : row => a(row) && b(row),
    );
  }
  return (
    bindThreshold(condition, segment) ??
    bind<boolean, RowTest>(
      condition,
      segment,
      lookup => meets(condition, lookup),
      value => value,
    )
  );
}

/** The common case of a numeric column against a constant. */
function bindThreshold(
  condition: Condition,
  segment: Segment,
): RowTest | undefined {
  if (
    condition.type !== 'compare' ||
    condition.left.type !== 'attribute' ||
    condition.right.type !== 'number'
  ) {
    return undefined;
  }
  const column = segment.columns.get(condition.left.name);
  if (column?.kind !== 'number') return undefined;
  const { data } = column;
  const limit = condition.right.value;
  // NaN, a missing value, fails all of these.
  switch (condition.op) {
    case '<':
      return row => data[row] < limit;
    case '<=':
      return row => data[row] <= limit;
    case '>':
      return row => data[row] > limit;
    case '>=':
      return row => data[row] >= limit;
    default:
      return undefined;
  }
}

/**
 * Makes a per-row function out of one that looks attributes up. A node that
 * reads a single dictionary column is evaluated once for each of its values,
 * one that reads no column of this segment just once.
 */
function bind<T, R = (row: number) => T>(
  node: Expr | Condition,
  segment: Segment,
  evaluate: (lookup: Lookup) => T,
  constant: (value: T) => R,
): R | ((row: number) => T) {
  const names = [...attributesOf(node)].filter(
    name => name === 'timestamp' || segment.columns.has(name),
  );
  if (names.length === 0) return constant(evaluate(() => undefined));
  const [name] = names;
  const column = segment.columns.get(name);
  if (names.length === 1 && name !== 'timestamp') {
    if (column?.kind === 'dictionary') {
      const table = column.values.map(value =>
        evaluate(attribute => (attribute === name ? value : undefined)),
      );
      const { codes } = column;
      return row => table[codes[row]];
    }
  }
  let current = 0;
  const lookup: Lookup = attribute =>
    attribute === 'timestamp'
      ? segment.timestamps[current]
      : segment.columns.get(attribute)?.get(current);
  return row => {
    current = row;
    return evaluate(lookup);
  };
}
