import { NewRelicError, fromNerdGraphErrors } from './errors';
import type { NerdGraphAnswer } from './transport';
import type { NrqlResult } from './types';

/** A query on its way, under the alias that it keeps through all attempts. */
export interface AliasedQuery {
  alias: string;
  nrql: string;
  timeoutSeconds: number;
}

const SELECTION =
  '{ results totalResult otherResult metadata { facets messages timeWindow { begin end } } }';

/**
 * The GraphQL request for some queries of one account. Its text depends only on
 * the aliases; NRQL, account and timeout travel as variables.
 */
export function buildBatch(accountId: number, queries: AliasedQuery[]) {
  const declarations = queries.map(({ alias }) => `$${alias}: Nrql!`);
  const fields = queries.map(
    ({ alias }) =>
      `${alias}: nrql(query: $${alias}, timeout: $timeout) ${SELECTION}`,
  );
  return {
    query:
      `query RocketNrql($account: Int!, $timeout: Seconds, ${declarations.join(
        ', ',
      )}) ` + `{ actor { account(id: $account) { ${fields.join(' ')} } } }`,
    variables: {
      account: accountId,
      timeout: Math.max(...queries.map(query => query.timeoutSeconds)),
      ...Object.fromEntries(queries.map(({ alias, nrql }) => [alias, nrql])),
    } as Record<string, unknown>,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readStrings(value: unknown): string[] | null {
  return Array.isArray(value)
    ? value.filter((item): item is string => typeof item === 'string')
    : null;
}

function readNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** Reads one `NrdbResultContainer`; undefined when it is not one. */
function parseResult(value: unknown): NrqlResult | undefined {
  if (!isRecord(value) || !Array.isArray(value.results)) return undefined;
  if (!value.results.every(isRecord)) return undefined;
  const metadata = isRecord(value.metadata) ? value.metadata : {};
  const { timeWindow } = metadata;
  return {
    results: value.results,
    totalResult: value.totalResult ?? null,
    otherResult: value.otherResult ?? null,
    metadata: {
      facets: readStrings(metadata.facets),
      messages: readStrings(metadata.messages),
      timeWindow: isRecord(timeWindow)
        ? {
            begin: readNumber(timeWindow.begin),
            end: readNumber(timeWindow.end),
          }
        : null,
    },
  };
}

/**
 * Sorts an answer by alias. An error belongs to the alias in its `path`; one
 * without a path, or with a path that ends above the aliases, belongs to all.
 */
export function readBatch(
  answer: NerdGraphAnswer,
  queries: AliasedQuery[],
  accountName: string,
): Map<string, NrqlResult | NewRelicError> {
  const aliases = new Set(queries.map(({ alias }) => alias));
  const ofAll = answer.errors.filter(
    ({ path }) => !path?.some(part => aliases.has(String(part))),
  );
  const actor = isRecord(answer.data) ? answer.data.actor : undefined;
  const account = isRecord(actor) ? actor.account : undefined;

  return new Map(
    queries.map(({ alias }) => {
      const own = answer.errors.filter(({ path }) => path?.includes(alias));
      // A result with an error beneath it is partial, so it is no result.
      const errors = own.length > 0 ? own : ofAll;
      if (errors.length > 0) {
        const scope = own.length > 0 ? 'alias' : 'request';
        return [
          alias,
          fromNerdGraphErrors(errors, accountName, scope),
        ] as const;
      }
      const result = parseResult(
        isRecord(account) ? account[alias] : undefined,
      );
      return [
        alias,
        result ??
          new NewRelicError(
            `New Relic account '${accountName}' gave no result for a query and no reason`,
            { kind: 'response', scope: 'alias' },
          ),
      ] as const;
    }),
  );
}
