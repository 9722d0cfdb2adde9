import type { ValidateResponse } from '../types';
import type { CatalogDocument, FieldPath } from './documents';
import type { Problem } from './problems';
import { refOf } from './refs';

/**
 * The field that a path of the portal means. Its parts are joined by dots, which keys may hold as well
 * (`metadata.annotations.rocket.internal/critical-path`): the longest key that exists is taken.
 */
export function resolveField(value: unknown, parts: string[]): FieldPath {
  const field: FieldPath = [];
  let node: any = value;
  let index = 0;
  while (index < parts.length && node !== null && typeof node === 'object') {
    let end = parts.length;
    while (
      end > index &&
      !Object.hasOwn(node, parts.slice(index, end).join('.'))
    )
      end -= 1;
    if (end === index) break;
    const key = parts.slice(index, end).join('.');
    field.push(Array.isArray(node) ? Number(key) : key);
    node = node[key];
    index = end;
  }
  // What does not exist: its place is that of what is around it.
  if (index < parts.length) field.push(parts.slice(index).join('.'));
  return field;
}

/** Problems that the portal found, at the lines of the files. `fallback` is the file of what is no entity. */
export function portalProblems(
  response: ValidateResponse,
  documents: CatalogDocument[],
  entities: unknown[],
  fallback: string,
): Problem[] {
  return response.problems.map(({ field, message, severity }) => {
    const [list, index, ...rest] = String(field).split('.');
    const document =
      list === 'entities' && /^\d+$/.test(index ?? '')
        ? documents[Number(index)]
        : undefined;
    if (!document)
      return {
        file: fallback,
        line: 1,
        column: 1,
        severity,
        rule: 'portal',
        message: field ? `${field}: ${message}` : message,
        ...(field ? { field } : {}),
      };
    const entity = entities[Number(index)];
    const resolved = resolveField(entity, rest);
    const ref = refOf(entity);
    return {
      file: document.file,
      ...document.locate(resolved),
      severity,
      rule: 'portal',
      message: rest.length > 0 ? `${rest.join('.')}: ${message}` : message,
      ...(rest.length > 0 ? { field: rest.join('.') } : {}),
      ...(ref ? { entityRef: ref } : {}),
    };
  });
}
