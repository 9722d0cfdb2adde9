import type { FieldPath } from './documents';
import { formatRef, parseRef } from './refs';

/** Says that a field is wrong; `severity` is an error when left out. */
export type Complain = (
  rule: string,
  field: FieldPath,
  message: string,
) => void;

export type Relate = (field: FieldPath, ref: string, step?: string) => void;

/** What a field of `spec` holds. */
export type FieldKind =
  | { type: 'text'; required?: boolean }
  | { type: 'ref'; kinds: readonly string[]; required?: boolean }
  /** Without `kinds` the kind must be written. */
  | { type: 'refs'; kinds: readonly string[]; required?: boolean };

export type Fields = Record<string, FieldKind>;

const NAMES: Record<string, string> = {
  group: 'a Group',
  user: 'a User',
  system: 'a System',
  component: 'a Component',
  api: 'an API',
  domain: 'a Domain',
};

function expected(kinds: readonly string[]): string {
  return kinds.length === 0
    ? 'an entity with its kind, such as component:default/ledger'
    : kinds.map(kind => NAMES[kind] ?? kind).join(' or ');
}

/** `spec.steps.0.name`, as it stands in messages. */
export function fieldName(field: FieldPath): string {
  return field.join('.');
}

/** Checks one reference; `rule` is `owner` for owners, else `relation`. */
export function checkRef(
  value: unknown,
  field: FieldPath,
  kinds: readonly string[],
  namespace: string,
  complain: Complain,
  relate: Relate,
): void {
  const rule = field[field.length - 1] === 'owner' ? 'owner' : 'relation';
  const ref =
    typeof value === 'string'
      ? parseRef(value, { kind: kinds[0], namespace })
      : undefined;
  if (!ref || (kinds.length > 0 && !kinds.includes(ref.kind))) {
    complain(
      rule,
      field,
      `${fieldName(field)} must be the ref of ${expected(kinds)}, was ${
        JSON.stringify(value) ?? 'missing'
      }`,
    );
    return;
  }
  relate(field, formatRef(ref));
}

/** Checks the fields of an object; fields that are not listed are left alone. */
export function checkFields(
  object: Record<string, unknown>,
  fields: Fields,
  at: FieldPath,
  namespace: string,
  complain: Complain,
  relate: Relate,
): void {
  for (const [name, kind] of Object.entries(fields)) {
    const field = [...at, name];
    const value = object[name];
    if (value === undefined) {
      if (kind.required)
        complain(
          name === 'owner' ? 'owner' : 'schema',
          field,
          `${fieldName(field)} is missing`,
        );
    } else if (kind.type === 'text') {
      if (typeof value !== 'string' || value.trim() === '')
        complain('schema', field, `${fieldName(field)} must be a text`);
    } else if (kind.type === 'ref') {
      checkRef(value, field, kind.kinds, namespace, complain, relate);
    } else if (!Array.isArray(value)) {
      complain('schema', field, `${fieldName(field)} must be a list of refs`);
    } else {
      for (const [index, item] of value.entries())
        checkRef(
          item,
          [...field, index],
          kind.kinds,
          namespace,
          complain,
          relate,
        );
    }
  }
}
