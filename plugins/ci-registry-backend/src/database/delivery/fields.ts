import type {
  BuildReport,
  DeploymentReport,
} from '@rocket/plugin-ci-registry-common';
import type { JsonValue } from '@backstage/types';
import { canonicalJson } from '../../service/canonical';

/** A value and when it was said: the time of the push's source, ms since 1970. */
interface Said {
  time: number;
  value: JsonValue;
}

/**
 * What several reports said of one build or deployment: each value with its
 * time, lists by the name of their items, so that the order in which the
 * reports arrive does not matter.
 */
export type Fields = Record<string, Said | { items: Record<string, Said> }>;

type Item = Record<string, JsonValue>;

/** Lists that are united, and what tells their items apart. */
const LISTS: Record<string, (item: Item) => string> = {
  artifacts: item => `${item.name}@${item.digest}`,
  tests: item => String(item.name),
  scans: item => String(item.tool),
  commits: item => String(item.sha),
};

/** Items of a united list that are kept, the newest ones; a single report has fewer. */
const MAX_ITEMS = 1000;

const UNFINISHED = ['running', 'in-progress'];

/** How a deployment stands is one value: an outcome without its end or reason would be another deployment's. */
function withState(report: object): Record<string, JsonValue> {
  const { id, component, environment, outcome, finishedAt, reason, ...rest } =
    report as Partial<DeploymentReport> & BuildReport;
  const values = JSON.parse(JSON.stringify(rest));
  if (environment === undefined) {
    return JSON.parse(JSON.stringify({ ...values, outcome, finishedAt }));
  }
  return {
    ...values,
    state: JSON.parse(JSON.stringify({ outcome, finishedAt, reason })),
  };
}

/** Bigger counts. A finish counts more than a start, whenever they were said. */
function weightOf(name: string, said: Said): [number, number, number] {
  if (name === 'outcome') {
    return [UNFINISHED.includes(String(said.value)) ? 0 : 1, said.time, 0];
  }
  if (name === 'state') {
    const { outcome, finishedAt } = said.value as Item;
    return [
      UNFINISHED.includes(String(outcome)) ? 0 : 1,
      said.time,
      finishedAt ? Date.parse(String(finishedAt)) : 0,
    ];
  }
  return [0, said.time, 0];
}

function outweighs(name: string, now: Said, before: Said): boolean {
  const [a, b] = [weightOf(name, now), weightOf(name, before)];
  const index = a.findIndex((value, i) => value !== b[i]);
  // Said twice for the same time: what arrives later counts.
  return index === -1 || a[index] > b[index];
}

export interface Merge {
  fields: Fields;
  /** `superseded`: it says something else, but what is known is newer. */
  outcome: 'updated' | 'unchanged' | 'superseded';
  /** `fields` has to be stored: it says something else, or the same as of a later time. */
  touched: boolean;
}

/** Adds what a report says at `time`, ms since 1970. */
export function mergeReport(
  before: Fields,
  report: BuildReport | DeploymentReport,
  time: number,
): Merge {
  const fields: Fields = { ...before };
  let changed = false;
  let older = false;
  let touched = false;
  const merge = (
    name: string,
    known: Said | undefined,
    value: JsonValue,
  ): Said => {
    const said = { time, value };
    if (!known) {
      changed = true;
      return said;
    }
    const same = canonicalJson(known.value) === canonicalJson(value);
    if (same) {
      // Said again, and later: still the same, but an older word does not replace it any more.
      if (time <= known.time) {
        return known;
      }
      touched = true;
      return said;
    }
    if (!outweighs(name, said, known)) {
      older = true;
      return known;
    }
    changed = true;
    return said;
  };
  for (const [name, value] of Object.entries(withState(report))) {
    const keyOf = LISTS[name];
    if (!keyOf) {
      fields[name] = merge(name, before[name] as Said | undefined, value);
      continue;
    }
    const known = before[name] as { items: Record<string, Said> } | undefined;
    const items = { ...known?.items };
    for (const item of value as Item[]) {
      const key = keyOf(item);
      items[key] = merge(name, items[key], item);
    }
    const newest = Object.entries(items)
      .sort(([, a], [, b]) => b.time - a.time)
      .slice(0, MAX_ITEMS);
    fields[name] = { items: Object.fromEntries(newest) };
  }
  let outcome: Merge['outcome'] = 'unchanged';
  if (changed) {
    outcome = 'updated';
  } else if (older) {
    outcome = 'superseded';
  }
  return { fields, outcome, touched: touched || changed };
}

/** The values as they stand. */
export function valuesOf(fields: Fields): Record<string, JsonValue> {
  const values: Record<string, JsonValue> = {};
  for (const [name, field] of Object.entries(fields)) {
    if ('items' in field) {
      const items = Object.values(field.items).map(said => said.value as Item);
      values[name] =
        name === 'commits'
          ? items.sort(
              (a, b) => Date.parse(String(b.time)) - Date.parse(String(a.time)),
            )
          : items;
    } else if (name === 'state') {
      Object.assign(values, field.value as Item);
    } else {
      values[name] = field.value;
    }
  }
  return values;
}
