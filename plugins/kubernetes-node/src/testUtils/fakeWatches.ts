import type { ServerResponse } from 'node:http';
import type { Json } from './fakeFields';
import type { Change } from './fakeObjects';

/** A watch with its connection. */
export interface OpenWatch {
  response: ServerResponse;
  prefix: string;
  matches(object: Json): boolean;
}

/** Sends a change to a watch, as its selector sees it. */
export function tell(
  { response, prefix, matches }: OpenWatch,
  change: Change,
): void {
  if (change.prefix !== prefix) return;
  const was = change.before !== undefined && matches(change.before);
  const is = change.after !== undefined && matches(change.after);
  if (!was && !is) return;
  let type = was ? 'MODIFIED' : 'ADDED';
  if (!is) type = 'DELETED';
  const object = structuredClone(is ? change.after : change.before);
  object.metadata.resourceVersion = String(change.version);
  response.write(`${JSON.stringify({ type, object })}\n`);
}

/** Selectors of the forms `a=b`, `a!=b`, `a` and `!a`. */
export function matcher(
  query: Record<string, string>,
): (object: Json) => boolean {
  const terms = (text?: string) =>
    (text ?? '')
      .split(',')
      .filter(Boolean)
      .map(term => {
        const [, key, not, value] = term.match(/^([^=!]+)(!?)=+(.*)$/) ?? [];
        return { term, key, not: Boolean(not), value };
      });
  const labels = terms(query.labelSelector);
  const fields = terms(query.fieldSelector);
  return object => {
    const has = object.metadata.labels ?? {};
    return (
      labels.every(({ term, key, not, value }) => {
        if (key) return (has[key] === value) !== not;
        return term.startsWith('!') ? !(term.slice(1) in has) : term in has;
      }) &&
      fields.every(({ key, not, value }) => {
        const found = key
          .split('.')
          .reduce((node, part) => node?.[part], object);
        return (found === value) !== not;
      })
    );
  };
}
