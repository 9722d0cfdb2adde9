import { AggregateSpec } from './Aggregate';
import { Condition, FacetCase } from './ast';

/** How a value of a result row comes out of the aggregates. */
export type Output =
  | { kind: 'aggregate'; slot: number }
  | { kind: 'rung'; slot: number; index: number }
  | { kind: 'constant'; value: number }
  | {
      kind: 'arithmetic';
      op: '+' | '-' | '*' | '/';
      left: Output;
      right: Output;
    }
  | { kind: 'percentage'; part: Output; total: Output }
  | { kind: 'rate'; of: Output; perMs: number }
  | { kind: 'clamp'; of: Output; largest: boolean; limit: number };

/** A column of an aggregating query. */
export interface PlanItem {
  key: string;
  output: Output;
}

/** A checked query, ready to be run. */
export interface Plan {
  from: string[];
  where?: Condition;
  /** Columns of an aggregating query; undefined for one that lists events. */
  items?: PlanItem[];
  aggregates: AggregateSpec[];
  /** Attributes of a query that lists events; `*` for all of them. */
  columns?: '*' | { key: string; attribute: string }[];
  /** Attribute and the name it is shown by. */
  facets?: { attribute: string; key: string }[];
  cases?: FacetCase[];
  limit: number;
  extrapolate: boolean;
}

/** Most facets or rows a query returns. */
export const MAX_LIMIT = 5000;
