import { Ajv, type ErrorObject } from 'ajv';
import addFormatsModule from 'ajv-formats';
import type { FastifySchema, FastifySchemaCompiler } from 'fastify';
import type { FieldError } from '../problems.ts';

// The package is CommonJS: under plain ESM the function is one level deeper than its types say.
const addFormats = addFormatsModule as unknown as (ajv: Ajv, formats: string[]) => Ajv;

/** Bodies are taken as they are: no unknown field is dropped and no number becomes a text. Only the query is text by nature. */
export function strictValidators(): FastifySchemaCompiler<FastifySchema> {
  const options = { removeAdditional: false, allErrors: true, strict: false } as const;
  const body = addFormats(new Ajv({ ...options, coerceTypes: false }), ['uuid', 'date-time', 'date']);
  const text = addFormats(new Ajv({ ...options, coerceTypes: true, useDefaults: true }), ['uuid', 'date-time', 'date']);
  // Headers are in the schema for the document only; idempotency.ts says what is wrong with them.
  return ({ schema, httpPart }) => {
    if (httpPart === 'headers') return () => true;
    return (httpPart === 'body' ? body : text).compile(schema);
  };
}

const PARTS: Record<string, string> = {
  body: '',
  querystring: '#/query',
  params: '#/path',
  headers: '#/header',
};

const MAX_FIELDS = 20;

/** Names each wrong field once. */
export function toFieldErrors(errors: readonly Partial<ErrorObject>[], context: string | undefined): FieldError[] {
  const base = PARTS[context ?? 'body'] ?? '';
  const byField = new Map<string, FieldError>();
  for (const error of errors) {
    const params = error.params ?? {};
    const inner = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
    const pointer = `${base}${error.instancePath ?? ''}${inner === undefined ? '' : `/${escapePointer(String(inner))}`}`;
    if (byField.has(pointer)) continue;
    byField.set(pointer, { pointer, code: error.keyword ?? 'invalid', message: message(error) });
  }
  return [...byField.values()].slice(0, MAX_FIELDS);
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function message(error: Partial<ErrorObject>): string {
  const params = error.params ?? {};
  switch (error.keyword) {
    case 'required':
      return 'is missing';
    case 'additionalProperties':
      return 'is not a known field';
    case 'enum':
      return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
    default:
      return error.message ?? 'is not valid';
  }
}
