import { readFileSync } from 'node:fs';
import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { parseCriticalPath } from '@rocket/plugin-critical-paths-common';
import { parse, parseAllDocuments } from 'yaml';

const root = resolvePackagePath(
  '@rocket/plugin-critical-paths-backend',
  '../..',
);
const paths = parseAllDocuments(
  readFileSync(`${root}/examples/critical-paths.yaml`, 'utf8'),
).map(document => parseCriticalPath(document.toJS()));
const contract = parse(
  readFileSync(
    `${root}/templates/contracts/transaction-service/openapi.yaml`,
    'utf8',
  ),
);

describe('the workflows of the demo', () => {
  it('turn no path of the demo red: one informs only, one waits for its service', () => {
    expect(
      paths.flatMap(path =>
        path.workflows.map(w => [path.name, w.name, w.criticality, w.target]),
      ),
    ).toEqual([
      ['transaction-posting', 'portal-self-check', 'informational', 'portal'],
      [
        'wallet-top-up',
        'top-up-and-back',
        'required',
        'component:default/wallet-transactions',
      ],
    ]);
  });

  it('speak to the ledger as its contract says', () => {
    const [workflow] = paths.find(p => p.name === 'wallet-top-up')!.workflows;
    const operations = workflow.steps.map(
      ({ method, path, body, expect: checks }) => {
        const route = Object.keys(contract.paths).find(pattern =>
          new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+')}$`).test(
            path.replace(/\{\{\w+\}\}/g, 'x'),
          ),
        )!;
        const operation = contract.paths[route][method.toLowerCase()];
        const statuses = checks.flatMap(c => c.status ?? []);
        expect(
          statuses.filter(
            s =>
              !Object.keys(operation.responses).some(
                r => r === String(s) || `${r[0]}xx` === s,
              ),
          ),
        ).toEqual([]);
        const schema =
          operation.requestBody?.content['application/json'].schema;
        const described = schema?.$ref
          ? contract.components.schemas[schema.$ref.split('/').at(-1)]
          : schema;
        expect(Object.keys(described?.properties ?? {})).toEqual(
          expect.arrayContaining(Object.keys((body as object) ?? {})),
        );
        expect(Object.keys((body as object) ?? {})).toEqual(
          expect.arrayContaining(described?.required ?? []),
        );
        return operation.operationId;
      },
    );
    expect(operations).toEqual([
      'openAccount',
      'openAccount',
      'postTransaction',
      'getBalance',
      'reverseTransaction',
      'getBalance',
    ]);
  });
});
