import { isDeepStrictEqual } from 'node:util';
import type { Observation } from '@rocket/plugin-provisioning-common';

export type Difference = NonNullable<Observation['differences']>[number];

const LONGEST = 300;

function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What is not as intended, field by field. Only fields of `intended` count:
 * New Relic adds its own. Null and nothing are the same.
 */
export function differences(
  field: string,
  intended: unknown,
  found: unknown,
): Difference[] {
  if (isRecord(intended)) {
    const other = isRecord(found) ? found : {};
    return Object.entries(intended).flatMap(([name, value]) =>
      differences(field ? `${field}.${name}` : name, value, other[name]),
    );
  }
  if (Array.isArray(intended) && Array.isArray(found)) {
    if (intended.length === found.length) {
      return intended.flatMap((value, index) =>
        differences(
          intended.length === 1 ? field : `${field}.${index}`,
          value,
          found[index],
        ),
      );
    }
  }
  const same = isDeepStrictEqual(intended ?? null, found ?? null);
  return same ? [] : [{ field, intended: show(intended), found: show(found) }];
}
