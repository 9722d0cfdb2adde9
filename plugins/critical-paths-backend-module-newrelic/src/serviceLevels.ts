import { nrql, type NrqlResult } from '@rocket/newrelic-node';
import type { SourceServiceLevel } from '@rocket/plugin-critical-paths-node';

type Json = Record<string, unknown>;

/** Service levels of an account, page by page; only those whose application is in it. */
export const SEARCH_OPERATION = `query RocketServiceLevels($query: String!, $cursor: String) {
  actor { entitySearch(query: $query) { results(cursor: $cursor) {
    nextCursor
    entities { guid name tags { key values } }
  } } }
}`;

/** `entities(guids:)` takes at most so many. */
export const MAX_GUIDS = 25;
/** Aliases of 25 applications each that one request asks for. */
export const MAX_GUID_ALIASES = 4;

/** Definitions of the service levels of applications: one variable per 25 GUIDs. */
export function definitionsOperation(aliases: number): string {
  const names = Array.from({ length: aliases }, (_, i) => `g${i}`);
  return `query RocketServiceLevelDefinitions(${names
    .map(name => `$${name}: [EntityGuid]!`)
    .join(', ')}) {
  actor { ${names
    .map(
      name => `${name}: entities(guids: $${name}) {
    guid
    name
    serviceLevel { indicators {
      guid name createdAt
      events {
        validEvents { from where }
        goodEvents { from where }
        badEvents { from where }
      }
      objectives { target timeWindow { rolling { count unit } } }
    } }
  }`,
    )
    .join(' ')} }
}`;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (isRecord(inner) ? inner[key] : undefined),
    value,
  );
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** One page of {@link SEARCH_OPERATION}: GUIDs of the applications that have a service level. */
export function readSearchPage(data: unknown): {
  applicationGuids: string[];
  nextCursor?: string;
} {
  const results = at(data, 'actor', 'entitySearch', 'results');
  if (!isRecord(results)) {
    throw new Error(
      'New Relic gave no result for the search of service levels',
    );
  }
  const cursor = results.nextCursor;
  return {
    applicationGuids: list(results.entities).flatMap(entity =>
      list(entity.tags).flatMap(({ key, values }) =>
        key === 'nr.associatedEntityGuid' && Array.isArray(values)
          ? values.map(String)
          : [],
      ),
    ),
    nextCursor: typeof cursor === 'string' && cursor ? cursor : undefined,
  };
}

/** A service level as it is defined, before it is measured. */
export interface Definition {
  guid: string;
  appName: string;
  name: string;
  /** Epoch milliseconds; counts exist from then on. */
  createdAt: number;
  badDefined: boolean;
  sli: SourceServiceLevel['sli'];
  thresholdMs?: number;
  criticalPath?: string;
  target: number;
  windowDays: number;
}

/** Reads the answer to {@link definitionsOperation}. `indicators` is null, not [], where there are none. */
export function readDefinitions(data: unknown): Definition[] {
  const actor = at(data, 'actor');
  const definitions: Definition[] = [];
  for (const entities of isRecord(actor) ? Object.values(actor) : []) {
    for (const entity of list(entities)) {
      for (const indicator of list(at(entity, 'serviceLevel', 'indicators'))) {
        const { guid } = indicator;
        const validWhere = String(
          at(indicator, 'events', 'validEvents', 'where') ?? '',
        );
        const good = at(indicator, 'events', 'goodEvents');
        const bad = at(indicator, 'events', 'badEvents');
        const meaning = meaningOf(
          String(at(good ?? bad, 'where') ?? ''),
          isRecord(good),
        );
        for (const objective of list(indicator.objectives)) {
          const rolling = at(objective, 'timeWindow', 'rolling');
          const count = at(rolling, 'count');
          const { target } = objective;
          if (
            typeof guid === 'string' &&
            typeof target === 'number' &&
            typeof count === 'number' &&
            at(rolling, 'unit') === 'DAY'
          ) {
            definitions.push({
              guid,
              appName: String(entity.name ?? ''),
              name: String(indicator.name ?? guid),
              createdAt: Number(indicator.createdAt ?? 0) || 0,
              badDefined: !isRecord(good) && isRecord(bad),
              ...meaning,
              criticalPath: /\bcriticalPath\s*=\s*'((?:\\.|[^'\\])*)'/
                .exec(validWhere)?.[1]
                .replace(/\\(.)/g, '$1'),
              target,
              windowDays: count,
            });
          }
        }
      }
    }
  }
  return definitions;
}

/** What the definition of a good (or bad) event is about, as far as it can be told from its text. */
function meaningOf(
  where: string,
  good: boolean,
): Pick<Definition, 'sli' | 'thresholdMs'> {
  const duration = (
    good ? /\bduration\s*<=?\s*([0-9.]+)/i : /\bduration\s*>=?\s*([0-9.]+)/i
  ).exec(where);
  const status =
    /\b(http\.statusCode|httpResponseCode|http\.status_code|error)\b/i;
  if (duration) {
    // Both at once is a definition that Rocket has no figure for.
    return status.test(where)
      ? { sli: 'other' }
      : {
          sli: 'latency',
          thresholdMs: Math.round(Number(duration[1]) * 1e6) / 1e3,
        };
  }
  return { sli: status.test(where) ? 'availability' : 'other' };
}

/** A query that measures service levels over a shared window. */
export interface AttainmentQuery {
  nrql: string;
  definitions: Definition[];
  from: number;
  to: number;
}

const HOUR_MS = 3_600_000;

/**
 * The window that is measured, in epoch milliseconds on whole hours. A young
 * service level has counts since it was made; its window begins at the next of
 * seven marks that divide its length, so that service levels of different days
 * share queries. Until then there is nothing to measure (`from` is `to`).
 */
export function windowOf(definition: Definition, atMs: number) {
  const length = definition.windowDays * 24 * HOUR_MS;
  const mark = Math.ceil(length / 7 / HOUR_MS) * HOUR_MS;
  const from = Math.max(
    atMs - length,
    definition.createdAt > atMs - length
      ? Math.ceil(definition.createdAt / mark) * mark
      : 0,
  );
  return { from: Math.min(from, atMs), to: atMs };
}

export function writeAttainment(
  definitions: Definition[],
  from: number,
  to: number,
): string {
  const guids = [...new Set(definitions.map(({ guid }) => guid))];
  const sum = (name: string) =>
    nrql`sum(${nrql.id(`newrelic.sli.${name}`)}) AS ${name}`;
  return nrql`FROM Metric SELECT ${nrql.join([
    sum('valid'),
    sum('good'),
    sum('bad'),
  ])} WHERE entity.guid IN ${guids} FACET entity.guid SINCE ${from} UNTIL ${to} LIMIT MAX`.toString();
}

/** Puts counts and definitions together; a service level without a row was not measured. */
export function readAttainment(
  query: AttainmentQuery,
  { results }: NrqlResult,
): Omit<SourceServiceLevel, 'key' | 'url'>[] {
  const rows = new Map(
    results.map(row => [
      String(
        (Array.isArray(row.facet) ? row.facet[0] : row.facet) ??
          row['entity.guid'],
      ),
      row,
    ]),
  );
  const count = (value: unknown) =>
    typeof value === 'number' && Number.isFinite(value)
      ? Math.round(value)
      : undefined;
  return query.definitions.map(definition => {
    const row = rows.get(definition.guid);
    const valid = count(row?.valid);
    const bad = count(row?.bad);
    const good = definition.badDefined
      ? (valid ?? 0) - (bad ?? 0)
      : count(row?.good);
    const { guid, name, sli, thresholdMs, criticalPath, target, windowDays } =
      definition;
    return {
      id: guid,
      name,
      sli,
      thresholdMs,
      criticalPath,
      target,
      windowDays,
      from: new Date(query.from),
      to: new Date(query.to),
      valid: valid ?? null,
      // More good than valid is sampling noise, as New Relic clamps it too.
      good:
        valid === undefined ? null : Math.max(0, Math.min(valid, good ?? 0)),
      query: query.nrql,
    };
  });
}
