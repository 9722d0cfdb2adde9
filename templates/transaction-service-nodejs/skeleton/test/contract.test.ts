import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { errorsPage, openApiText, readCatalogue, ROOT } from '../scripts/contract.ts';
import { PROBLEMS } from '../src/problems.ts';

const read = (path: string) => readFile(join(ROOT, path), 'utf8');

describe('what is written down is what the code says; `npm run contract` writes it', () => {
  it('contracts/openapi.yaml', async () => {
    expect(await read('contracts/openapi.yaml')).toBe(await openApiText());
  });

  it('catalog-info.yaml offers that API', async () => {
    const entities = parseAllDocuments(await read('catalog-info.yaml')).map(document => document.toJS());
    const component = entities.find(entity => entity.kind === 'Component');
    const api = entities.find(entity => entity.kind === 'API');
    expect(component.spec.providesApis).toEqual([api.metadata.name]);
    expect(api.spec.definition).toEqual({ $text: './contracts/openapi.yaml' });
  });

  it('contracts/problems.yaml and docs/errors.md', async () => {
    const catalogue = readCatalogue(await read('contracts/problems.yaml'));
    expect(Object.fromEntries(catalogue.map(({ code, status, title }) => [code, { status, title }]))).toEqual(PROBLEMS);
    expect(await read('docs/errors.md')).toBe(errorsPage(catalogue));
  });
});

describe('the OpenAPI document', () => {
  it('gives every operation a name, a summary and its errors, and every POST its key', async () => {
    const document = parse(await openApiText());
    const ids = new Set<string>();
    for (const [path, methods] of Object.entries<any>(document.paths)) {
      for (const [method, operation] of Object.entries<any>(methods)) {
        expect(operation.summary).toBeTruthy();
        ids.add(operation.operationId);
        if (!path.startsWith('/v1/')) continue;
        expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['200', '400', '500', '503']));
        if (method !== 'post') continue;
        expect(operation.parameters).toContainEqual(
          expect.objectContaining({ in: 'header', name: 'Idempotency-Key', required: true }),
        );
        expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['201', '409', '413', '415', '422']));
      }
    }
    expect(ids.size).toBe(Object.values<any>(document.paths).flatMap(methods => Object.keys(methods)).length);
  });
});
