import { Segment } from '../store/Segment';
import { FacetCase } from './ast';
import { bindCondition } from './evaluate';

/** Gives every row of a query the number of its facet. */
export interface FacetIndex {
  /** Values by facet number; number 0 is for rows without a facet. */
  readonly names: (string[] | undefined)[];
  /** Prepares for a segment: answers the facet number of a row. */
  bind(segment: Segment, begin: number, end: number): (row: number) => number;
}

/** The facet numbers of a query without FACET: all rows in number 0. */
export function noFacets(): FacetIndex {
  return { names: [undefined], bind: () => () => 0 };
}

/** FACET over attributes: one facet for each combination of values that occurs. */
export function attributeFacets(attributes: string[]): FacetIndex {
  const names: (string[] | undefined)[] = [undefined];
  const numbers = new Map<string, number>();

  const numberOf = (values: string[]) => {
    const key = JSON.stringify(values);
    let number = numbers.get(key);
    if (number === undefined) {
      number = names.push(values) - 1;
      numbers.set(key, number);
    }
    return number;
  };

  return {
    names,
    bind(segment, begin, end) {
      const columns: LocalCodes[] = [];
      let combinations = 1;
      for (const attribute of attributes) {
        const column = localCodes(segment, attribute, begin, end);
        if (!column) return () => 0;
        columns.push(column);
        combinations *= column.values.length;
      }
      const known =
        combinations <= 1 << 16
          ? new Int32Array(combinations).fill(-1)
          : undefined;
      const sparse = new Map<number, number>();
      return row => {
        let combined = 0;
        for (const { codes, offset, values } of columns) {
          combined = combined * values.length + codes[row - offset];
        }
        const seen = known ? known[combined] : sparse.get(combined) ?? -1;
        if (seen >= 0) return seen;
        const values: string[] = [];
        for (const column of columns) {
          const value = column.values[column.codes[row - column.offset]];
          if (value === undefined) break;
          values.push(value);
        }
        const number = values.length === columns.length ? numberOf(values) : 0;
        if (known) known[combined] = number;
        else sparse.set(combined, number);
        return number;
      };
    },
  };
}

/** FACET CASES: a row belongs to the first case that it meets. */
export function caseFacets(cases: FacetCase[]): FacetIndex {
  return {
    names: [undefined, ...cases.map(({ alias, text }) => [alias ?? text])],
    bind(segment) {
      const tests = cases.map(({ condition }) =>
        bindCondition(condition, segment),
      );
      return row =>
        1 +
        tests.findIndex(test => (typeof test === 'boolean' ? test : test(row)));
    },
  };
}

interface LocalCodes {
  /** Index into `values`, by row minus `offset`. */
  codes: ArrayLike<number>;
  offset: number;
  /** Element 0 is undefined, for rows that lack the attribute. */
  values: (string | undefined)[];
}

function localCodes(
  segment: Segment,
  attribute: string,
  begin: number,
  end: number,
): LocalCodes | undefined {
  const column = segment.columns.get(attribute);
  if (column?.kind === 'dictionary') {
    return {
      codes: column.codes,
      offset: 0,
      values: column.values.map(value =>
        value === undefined ? undefined : String(value),
      ),
    };
  }
  const data = attribute === 'timestamp' ? segment.timestamps : column?.data;
  if (!data) return undefined;
  const codes = new Uint32Array(end - begin);
  const values: (string | undefined)[] = [undefined];
  const index = new Map<number, number>();
  for (let row = begin; row < end; row += 1) {
    const value = data[row];
    if (!Number.isNaN(value)) {
      let code = index.get(value);
      if (code === undefined) {
        code = values.push(String(value)) - 1;
        index.set(value, code);
      }
      codes[row - begin] = code;
    }
  }
  return { codes, offset: begin, values };
}
