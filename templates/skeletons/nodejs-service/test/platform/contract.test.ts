import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { errorsPage, openApiText, readCatalogue, ROOT } from '../../scripts/contract.ts';
import { PROBLEMS } from '../../src/platform/problems.ts';

const read = (path: string) => readFile(join(ROOT, path), 'utf8');

type Operations = Record<string, Record<string, { operationId: string }>>;

function operationsOf(document: { paths: Operations }): string[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => `${method} ${path} ${operationId}`),
  );
}

describe('the code keeps the contract', () => {
  it('offers nothing that is not in contracts/openapi.yaml', async () => {
    const promised = operationsOf(parse(await read('contracts/openapi.yaml')));
    expect(promised).toEqual(expect.arrayContaining(operationsOf(parse(await openApiText()))));
  });

  it('catalog-info.yaml offers that API', async () => {
    const entities = parseAllDocuments(await read('catalog-info.yaml')).map(document => document.toJS());
    const component = entities.find(entity => entity.kind === 'Component');
    const api = entities.find(entity => entity.kind === 'API');
    expect(component.spec.providesApis).toEqual([api.metadata.name]);
    expect(api.spec.definition).toEqual({ $text: './contracts/openapi.yaml' });
  });

  it('knows the errors of contracts/problems.yaml, and docs/errors.md shows them', async () => {
    const catalogue = await readCatalogue();
    const promised = Object.fromEntries(catalogue.map(({ code, status, title }) => [code, { status, title }]));
    expect(PROBLEMS).toEqual(promised);
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
        const statuses = ['400', '401', '403', '429', '500', '503'];
        if (method !== 'get') statuses.push('413', '415');
        if (method === 'post' && operation.operationId !== 'receiveEvent') {
          statuses.push('409', '422');
          expect(operation.parameters).toContainEqual(
            expect.objectContaining({ in: 'header', name: 'Idempotency-Key', required: true }),
          );
        }
        expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(statuses));
      }
    }
    expect(ids.size).toBe(Object.values<any>(document.paths).flatMap(methods => Object.keys(methods)).length);
  });
});
