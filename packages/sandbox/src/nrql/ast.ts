/** Offset of a piece of the query text, for error messages. */
export interface Located {
  at: number;
}

export type Expr = Located &
  (
    | { type: 'number'; value: number }
    | { type: 'string'; value: string }
    | { type: 'attribute'; name: string }
    | { type: 'call'; name: string; args: Argument[] }
    | {
        type: 'arithmetic';
        op: '+' | '-' | '*' | '/';
        left: Expr;
        right: Expr;
      }
  );

export type Argument = Located &
  (
    | { kind: 'star' }
    | { kind: 'where'; condition: Condition }
    | { kind: 'duration'; amount: number; unit: string; ms: number }
    | { kind: 'expr'; label?: string; expr: Expr }
  );

export type CompareOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type Condition =
  | { type: 'and' | 'or'; terms: Condition[] }
  | { type: 'not'; term: Condition }
  | {
      type: 'compare';
      op: CompareOperator;
      left: Expr;
      right: Expr;
      at: number;
    }
  | {
      type: 'in';
      left: Expr;
      values: (string | number)[];
      negated: boolean;
    }
  | { type: 'like'; left: Expr; pattern: string; negated: boolean }
  | { type: 'is'; left: Expr; value: boolean | null; negated: boolean };

export type Time = { text: string } & (
  | { kind: 'ago'; ms: number }
  | { kind: 'now' }
  | { kind: 'day'; day: string }
  | { kind: 'epoch'; epoch: number }
  | { kind: 'date'; value: string; at: number }
);

export type Step =
  | { kind: 'auto' }
  | { kind: 'max' }
  | { kind: 'step'; ms: number; at: number };

export type SelectItem = Located & { text: string } & (
    | { star: true }
    | { star?: undefined; expr: Expr; alias?: string }
  );

export interface FacetItem extends Located {
  expr: Expr;
  alias?: string;
}

export interface FacetCase {
  condition: Condition;
  text: string;
  alias?: string;
}

export type Clause = Located &
  (
    | { clause: 'SELECT'; items: SelectItem[] }
    | { clause: 'FROM'; types: string[] }
    | { clause: 'WHERE'; condition: Condition }
    | { clause: 'FACET'; items?: FacetItem[]; cases?: FacetCase[] }
    | { clause: 'TIMESERIES'; step: Step }
    | { clause: 'SINCE' | 'UNTIL'; time: Time }
    | { clause: 'LIMIT'; limit: number | 'max' }
    | { clause: 'EXTRAPOLATE' }
  );

/** A parsed query: its clauses, each at most once. */
export interface Query {
  select: SelectItem[];
  from: string[];
  where?: Condition;
  facet?: FacetItem[];
  cases?: FacetCase[];
  facetAt?: number;
  step?: Step;
  stepAt?: number;
  since?: Time;
  until?: Time;
  limit?: number | 'max';
  extrapolate: boolean;
}
