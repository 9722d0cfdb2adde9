import type { ApiDocumentReport } from '@rocket/plugin-ci-registry-common';
import type {
  DocumentStore,
  StoredDocument,
} from '../../database/documents/DocumentStore';
import { sha256 } from '../canonical';
import { ApiDocuments } from './ApiDocuments';

jest.setTimeout(60_000);

/** A document that its references make too large to compare. */
function bomb(leaf: string): string {
  const schemas: Record<string, unknown> = { L40: { type: leaf } };
  for (let level = 0; level < 40; level++) {
    const ref = { $ref: `#/components/schemas/L${level + 1}` };
    schemas[`L${level}`] = { type: 'object', properties: { a: ref, b: ref } };
  }
  const schema = { $ref: '#/components/schemas/L0' };
  const content = { 'application/json': { schema } };
  return JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Bomb', version: '1' },
    paths: {
      '/': { get: { responses: { 200: { description: 'x', content } } } },
    },
    components: { schemas },
  });
}

it('a push of many documents that cannot be compared is not held up by each of them', async () => {
  const apis = Array.from({ length: 12 }, (_, n) => `api:default/bomb-${n}`);
  const stored = (api: string): StoredDocument => ({
    version: {
      api,
      version: 1,
      format: 'openapi',
      hash: sha256(api),
      commit: 'a'.repeat(40),
      pushedAt: '2026-11-20T08:00:00.000Z',
      changes: null,
    },
    definition: bomb('string'),
    seen: { commit: 'a'.repeat(40), time: 0 },
  });
  const added: StoredDocument[] = [];
  const store: DocumentStore = {
    latest: async names => new Map(names.map(name => [name, stored(name)])),
    list: async () => [],
    definition: async () => undefined,
    add: async (_tx, document) => void added.push(document),
    seen: async () => {},
  };
  const documents = new ApiDocuments({
    store,
    findComponent: async () => ({
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Component',
      metadata: { name: 'ledger' },
      spec: { owner: 'money' },
    }),
    settings: { maxBytes: 1e6, versions: 10, timeoutMs: 400 },
  });
  const reports: ApiDocumentReport[] = apis.map(api => ({
    api,
    component: 'component:default/ledger',
    format: 'openapi',
    definition: bomb('integer'),
  }));
  const context = {
    source: {
      repository: 'acme/ledger',
      commit: 'b'.repeat(40),
      ancestors: ['a'.repeat(40)],
      time: '2026-11-20T09:00:00.000Z',
    },
    identity: { type: 'static' as const, subject: 'token:ci' },
    now: Date.parse('2026-11-20T09:00:00.000Z'),
  };
  await documents.entities(
    reports,
    { pushed: new Map(), stored: new Map() },
    context,
  );
  await documents.check(reports, context);
  const results = await documents.write(
    { ...context, tx: {} as never },
    reports,
  );
  expect(results.map(({ outcome }) => outcome)).toEqual(
    apis.map(() => 'updated'),
  );
  const reasons = added.map(({ version }) => version.notCompared);
  expect(reasons[0]).toMatch(/longer than [0-9.]+ seconds|memory/);
  // Three times the limit of one is the limit of all, in the check and in the transaction together.
  const inTime = reasons.filter(
    reason => !/documents of the push/.test(reason!),
  );
  expect(inTime.length).toBeLessThanOrEqual(4);
  expect(reasons.at(-1)).toMatch(/documents of the push took longer than 1.2/);
});
