import peggy from 'peggy';
import { Clause, Query } from './ast';
import { NRQL_GRAMMAR, RESERVED_WORDS, TIME_UNITS } from './grammar';

/** A query that New Relic would refuse, with the text it would answer. */
export class NrqlError extends Error {
  constructor(message: string, readonly errorClass = 'INVALID_INPUT') {
    super(message);
    this.name = 'NrqlError';
  }
}

/** Longest query text that is accepted, in characters. */
export const MAX_QUERY_LENGTH = 4096;

// Cached rules keep nested parentheses from costing exponential time.
const parser = peggy.generate(NRQL_GRAMMAR, { cache: true });
const PARSER_OPTIONS = {
  units: TIME_UNITS,
  reserved: RESERVED_WORDS,
};

/** Says where a query went wrong, in New Relic's words. */
export function syntaxError(text: string, at: number): NrqlError {
  let offset = Math.min(at, text.length);
  while (offset > 0 && isWord(text[offset]) && isWord(text[offset - 1])) {
    offset -= 1;
  }
  const before = text.slice(0, offset).split('\n');
  const found = tokenAt(text, offset);
  const what = found === undefined ? 'end of query' : `'${found}'`;
  return new NrqlError(
    `NRQL Syntax Error: Error at line ${before.length} position ${
      before[before.length - 1].length + 1
    }, unexpected ${what}`,
  );
}

/**
 * Parses NRQL. Throws `NrqlError` with New Relic's message for what the
 * grammar does not know and for a clause that is missing or there twice.
 */
export function parseNrql(text: string): Query {
  if (text.trim() === '') {
    throw new NrqlError(
      "Validation error on 'nrql': a query must be specified",
    );
  }
  if (text.length > MAX_QUERY_LENGTH) {
    throw new NrqlError(
      `NRQL Syntax Error: the query has ${text.length} characters, at most ${MAX_QUERY_LENGTH} are allowed`,
    );
  }
  let clauses: Clause[];
  try {
    clauses = parser.parse(text, PARSER_OPTIONS);
  } catch (error) {
    if (error instanceof parser.SyntaxError) {
      throw syntaxError(text, error.location.start.offset);
    }
    if (error instanceof RangeError) {
      throw new NrqlError('NRQL Syntax Error: the query is nested too deeply');
    }
    throw error;
  }

  const query: Partial<Query> = { extrapolate: false };
  const seen = new Set<string>();
  for (const clause of clauses) {
    if (seen.has(clause.clause)) throw syntaxError(text, clause.at);
    seen.add(clause.clause);
    switch (clause.clause) {
      case 'SELECT':
        query.select = clause.items;
        break;
      case 'FROM':
        query.from = clause.types;
        break;
      case 'WHERE':
        query.where = clause.condition;
        break;
      case 'FACET':
        query.facet = clause.items;
        query.cases = clause.cases;
        query.facetAt = clause.at;
        break;
      case 'TIMESERIES':
        query.step = clause.step;
        query.stepAt = clause.at;
        break;
      case 'SINCE':
        query.since = clause.time;
        break;
      case 'UNTIL':
        query.until = clause.time;
        break;
      case 'LIMIT':
        query.limit = clause.limit;
        if (clause.limit !== 'max' && clause.limit > 5000) {
          throw syntaxError(text, text.indexOf(`${clause.limit}`, clause.at));
        }
        break;
      default:
        query.extrapolate = true;
    }
  }
  if (!query.select || !query.from) throw syntaxError(text, text.length);
  return query as Query;
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /[A-Za-z0-9_.]/.test(character);
}

function tokenAt(text: string, offset: number): string | undefined {
  if (offset >= text.length) return undefined;
  let end = offset;
  while (isWord(text[end])) end += 1;
  if (end > offset) return text.slice(offset, end);
  if (text[offset] === "'") {
    const close = text.indexOf("'", offset + 1);
    if (close > 0) return text.slice(offset + 1, close);
  }
  return text[offset];
}
