import { hash } from 'node:crypto';
import type { JsonValue } from '@backstage/types';

/** JSON with the keys of every object in order, so that equal content is equal text. */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonicalJson).join(',')}]`;
  }
  if (value && typeof value === 'object') {
    const parts = Object.keys(value)
      .sort()
      .flatMap(key => {
        const item = value[key];
        return item === undefined
          ? []
          : [`${JSON.stringify(key)}:${canonicalJson(item)}`];
      });
    return `{${parts.join(',')}}`;
  }
  return JSON.stringify(value);
}

export function sha256(text: string): string {
  return hash('sha256', text);
}
