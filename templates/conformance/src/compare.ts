import { resolve } from './contract';
import { show } from './expect';

/** Words for people: they may differ without changing what is promised. */
const WORDS = new Set([
  'description',
  'summary',
  'title',
  'example',
  'examples',
  'tags',
  'externalDocs',
  'deprecated',
  '$schema',
  '$id',
  // Generators lose it on the way into a document; a check tries it.
  'propertyNames',
]);

/**
 * A schema without references and words, and in one of the several ways to say the same: constants as enums, unions of single
 * values sorted, `allOf` of objects merged.
 */
export function normalized(document: any, node: any): any {
  const schema = resolve(document, node);
  if (Array.isArray(schema))
    return schema.map(inner => normalized(document, inner));
  if (schema === null || typeof schema !== 'object') return schema;
  const result: Record<string, any> = {};
  for (const [name, value] of Object.entries<any>(schema)) {
    if (WORDS.has(name) || name.startsWith('x-')) continue;
    if (name === 'properties' || name === 'patternProperties')
      result[name] = Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([property, inner]) => [property, normalized(document, inner)]),
      );
    else if (name === 'required') result[name] = [...value].sort();
    else if (name === 'const') result.enum = [value];
    else if (name === 'enum') result.enum = [...value].sort();
    else result[name] = normalized(document, value);
  }
  if (result.enum) delete result.type;
  // Anything goes, said or not.
  if (
    result.additionalProperties === true ||
    JSON.stringify(result.additionalProperties) === '{}'
  )
    delete result.additionalProperties;
  if (Array.isArray(result.allOf)) {
    const { allOf, ...own } = result;
    return merged([...allOf, own]);
  }
  for (const union of ['anyOf', 'oneOf']) {
    if (!Array.isArray(result[union])) continue;
    result.anyOf = [...result[union]].sort((a, b) =>
      JSON.stringify(a) < JSON.stringify(b) ? -1 : 1,
    );
    if (union === 'oneOf') delete result.oneOf;
  }
  if (result.required?.length === 0) delete result.required;
  return sortedMembers(result);
}

function merged(parts: Record<string, any>[]): any {
  const result: Record<string, any> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      if (name === 'required')
        result.required = [
          ...new Set([...(result.required ?? []), ...value]),
        ].sort();
      else if (name === 'properties')
        result.properties = sortedMembers({ ...result.properties, ...value });
      else result[name] = value;
    }
  }
  return sortedMembers(result);
}

function sortedMembers(value: Record<string, any>): any {
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Everything that one operation promises, as path → value. */
function promises(document: any): Map<string, string> {
  const found = new Map<string, string>();
  const put = (place: string, value: unknown) => found.set(place, show(value));
  for (const [path, item] of Object.entries<any>(document.paths)) {
    for (const method of ['get', 'put', 'post', 'delete', 'patch']) {
      const operation = item[method];
      if (!operation) continue;
      const place = `${method.toUpperCase()} ${path}`;
      put(place, operation.operationId);
      for (const reference of operation.parameters ?? []) {
        const parameter = resolve(document, reference);
        const schema = normalized(document, parameter.schema);
        put(
          `${place} ${parameter.in} ${parameter.name.toLowerCase()}`,
          // What has a default need not be sent, whatever a generator says.
          [Boolean(parameter.required) && schema.default === undefined, schema],
        );
      }
      const body =
        operation.requestBody && resolve(document, operation.requestBody);
      if (body) {
        const schema = body.content['application/json']?.schema;
        put(`${place} body`, normalized(document, schema));
      }
      for (const [status, reference] of Object.entries<any>(
        operation.responses,
      )) {
        const response = resolve(document, reference);
        const [[type, media]] = [
          ...Object.entries<any>(response.content ?? {}),
          ['nothing', {}],
        ] as [string, any][];
        // Errors all have the one shape, which every answer is checked against.
        put(
          `${place} ${status}`,
          type === 'application/problem+json' ||
            (/^[45]/.test(status) && type !== 'application/json')
            ? 'problem'
            : type.startsWith('text/') ||
              normalized(document, media.schema)?.type === 'string'
            ? 'text'
            : [type, normalized(document, media.schema ?? {})],
        );
      }
    }
  }
  return found;
}

/** What the service promises otherwise than its contract, one line each. */
export function differences(contract: any, served: any): string[] {
  const wanted = promises(contract);
  const offered = promises(served);
  const found: string[] = [];
  for (const [place, value] of wanted) {
    if (!offered.has(place)) found.push(`${place}: missing`);
    else if (offered.get(place) !== value)
      found.push(`${place}: ${offered.get(place)}, the contract says ${value}`);
  }
  for (const place of offered.keys()) {
    // An error that a document names for good measure; one that is answered is held against the contract.
    const spareError =
      / [45]\d\d$/.test(place) && wanted.has(place.slice(0, -4));
    if (!wanted.has(place) && !spareError)
      found.push(`${place}: not in the contract`);
  }
  return found;
}
