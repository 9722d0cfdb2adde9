import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { openApiText, ROOT } from '../scripts/contract.ts';

type Json = any;

let promised: Json;
let offered: Json;
beforeAll(async () => {
  promised = parse(await readFile(join(ROOT, 'contracts/openapi.yaml'), 'utf8'), { merge: true });
  offered = parse(await openApiText(), { merge: true });
});

function resolve(document: Json, value: Json): Json {
  let found = value;
  while (found?.$ref !== undefined) {
    found = found.$ref
      .slice(2)
      .split('/')
      .reduce((inner: Json, key: string) => inner[key], document);
  }
  return found;
}

const TEXTS = new Set(['description', 'summary', 'title', 'examples']);

/** A schema without words, references and differences of style. */
function plain(document: Json, value: Json): Json {
  const schema = resolve(document, value);
  if (Array.isArray(schema)) return schema.map(item => plain(document, item));
  if (schema === null || typeof schema !== 'object') return schema;
  const parts =
    schema.allOf === undefined ? [schema] : [...schema.allOf.map((part: Json) => resolve(document, part)), schema];
  const whole: Json = {};
  for (const part of parts) {
    for (const [key, inner] of Object.entries<Json>(part)) {
      if (key === 'allOf' || (TEXTS.has(key) && typeof inner !== 'object') || key === 'examples') continue;
      if (key === 'properties') {
        whole.properties ??= {};
        for (const [name, property] of Object.entries(inner)) whole.properties[name] = plain(document, property);
      } else if (key === 'required') {
        whole.required = [...new Set([...(whole.required ?? []), ...inner])].sort();
      } else {
        whole[key] = plain(document, inner);
      }
    }
  }
  // The generated document cannot say how members are named; http.test.ts proves that it is checked.
  delete whole.propertyNames;
  if (whole.enum !== undefined) {
    delete whole.type;
    whole.enum = [...whole.enum].sort();
  }
  return whole;
}

function* operations(document: Json): Generator<[string, Json]> {
  for (const [path, methods] of Object.entries<Json>(document.paths)) {
    if (!path.startsWith('/v1/')) continue;
    for (const [method, operation] of Object.entries<Json>(methods)) yield [`${method} ${path}`, operation];
  }
}

it('takes and answers what contracts/openapi.yaml says, field by field', () => {
  const contract = new Map(operations(promised));
  let compared = 0;
  for (const [name, operation] of operations(offered)) {
    const other = contract.get(name);
    expect([name, other?.operationId]).toEqual([name, operation.operationId]);
    const names = (document: Json, { parameters = [] }: Json) =>
      parameters
        .map((parameter: Json) => resolve(document, parameter))
        .map((parameter: Json) => `${parameter.in} ${parameter.name}`)
        .sort();
    expect([name, names(offered, operation)]).toEqual([name, names(promised, other)]);
    const body = (document: Json, { requestBody }: Json) =>
      plain(document, requestBody?.content['application/json'].schema);
    if (operation.operationId !== 'receiveEvent') {
      expect([name, body(offered, operation)]).toEqual([name, body(promised, other)]);
    }
    for (const [status, response] of Object.entries<Json>(other.responses)) {
      const answer = resolve(offered, operation.responses[status]);
      expect([name, status, answer !== undefined]).toEqual([name, status, true]);
      const schema = (document: Json, of: Json) => plain(document, of.content?.['application/json']?.schema);
      expect([name, status, schema(offered, answer)]).toEqual([
        name,
        status,
        schema(promised, resolve(promised, response)),
      ]);
    }
    compared += 1;
  }
  expect(compared).toBeGreaterThanOrEqual(14);
});
