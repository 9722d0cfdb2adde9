import {
  apiEntityV1alpha1Validator,
  componentEntityV1alpha1Validator,
  DefaultNamespaceEntityPolicy,
  domainEntityV1alpha1Validator,
  EntityPolicies,
  FieldFormatEntityPolicy,
  groupEntityV1alpha1Validator,
  NoForeignRootFieldsEntityPolicy,
  resourceEntityV1alpha1Validator,
  SchemaValidEntityPolicy,
  systemEntityV1alpha1Validator,
  userEntityV1alpha1Validator,
} from '@backstage/catalog-model';
import {
  parseCriticalPath,
  readJoinRequest,
} from '@rocket/plugin-critical-paths-common';
import fc from 'fast-check';
import { checkEntity } from './kinds';

// The published package has rules of its own. They must not let through what the catalog refuses.
const policy = EntityPolicies.allOf([
  new DefaultNamespaceEntityPolicy(),
  new SchemaValidEntityPolicy(),
  new NoForeignRootFieldsEntityPolicy(),
  new FieldFormatEntityPolicy(),
]);
const VALIDATORS: Record<string, { check(entity: any): Promise<boolean> }> = {
  api: apiEntityV1alpha1Validator,
  component: componentEntityV1alpha1Validator,
  domain: domainEntityV1alpha1Validator,
  group: groupEntityV1alpha1Validator,
  resource: resourceEntityV1alpha1Validator,
  system: systemEntityV1alpha1Validator,
  user: userEntityV1alpha1Validator,
};

/** Why the catalog refuses the entity; undefined when it takes it. */
async function refusal(entity: any): Promise<string | undefined> {
  try {
    await policy.enforce(structuredClone(entity));
    const kind = String(entity.kind).toLowerCase();
    if (kind === 'criticalpath') parseCriticalPath(entity);
    else if ((await VALIDATORS[kind]?.check(entity)) === false)
      return 'unknown version';
    if (entity.kind === 'Component') return readJoinRequest(entity)?.error;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function ours(entity: unknown): string[] {
  const found: string[] = [];
  checkEntity(entity, (_, field, message) =>
    found.push(`${field.join('.')}: ${message}`),
  );
  return found;
}

const metadata = {
  name: 'wallet',
  namespace: 'default',
  title: 'Wallet',
  labels: { team: 'a', 'x.io/y': '' },
  annotations: {
    'rocket.internal/critical-path': 'criticalpath:default/payouts',
    'rocket.internal/critical-path-step': 'book',
  },
  tags: ['java', 'a:b'],
  links: [{ url: 'https://x.example.com', title: 'x', icon: 'web' }],
};
const v1 = 'backstage.io/v1alpha1';
const owner = 'group:default/a';

const SOUND = [
  {
    apiVersion: v1,
    kind: 'Component',
    metadata,
    spec: {
      type: 'service',
      lifecycle: 'production',
      owner,
      system: 'w',
      subcomponentOf: 'x',
      providesApis: ['a'],
      consumesApis: ['b', 'api:other/c'],
      dependsOn: ['resource:default/db'],
    },
  },
  {
    apiVersion: v1,
    kind: 'API',
    metadata: { name: 'a' },
    spec: { type: 'openapi', lifecycle: 'x', owner: 'a', definition: 'x' },
  },
  {
    apiVersion: v1,
    kind: 'Resource',
    metadata: { name: 'a' },
    spec: { type: 'db', owner, system: 'x', dependsOn: ['component:a'] },
  },
  {
    apiVersion: v1,
    kind: 'System',
    metadata: { name: 'a' },
    spec: { owner, domain: 'd', type: 'x' },
  },
  {
    apiVersion: v1,
    kind: 'Domain',
    metadata: { name: 'a' },
    spec: { owner, subdomainOf: 'd' },
  },
  {
    apiVersion: v1,
    kind: 'Group',
    metadata: { name: 'a' },
    spec: { type: 'team', children: [], parent: 'p', members: ['ana'] },
  },
  {
    apiVersion: v1,
    kind: 'User',
    metadata: { name: 'ana' },
    spec: { memberOf: ['a'] },
  },
  {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name: 'payouts' },
    spec: {
      owner,
      businessModel: 'payments',
      type: 'transaction',
      lifecycle: 'production',
      aggregation: 'weighted',
      steps: [
        { name: 'accept', component: 'gateway', weight: 2 },
        {
          component: 'component:default/ledger',
          title: 'Book',
          operation: 'POST /v1/x',
          telemetry: { source: 'newrelic', appName: 'x' },
        },
      ],
      objectives: [
        { sli: 'availability', target: 99.9, windowDays: 28 },
        {
          sli: 'latency',
          target: 95,
          thresholdMs: 300,
          percentile: 95,
          windowDays: 7,
        },
        { sli: 'throughput', target: 600, windowDays: 1 },
      ],
    },
  },
];

/** Everything inside of a value, by its path. */
function places(value: unknown, at: string[] = []): string[][] {
  if (value === null || typeof value !== 'object') return [at];
  return [
    at,
    ...Object.entries(value).flatMap(([k, item]) => places(item, [...at, k])),
  ];
}

function change(root: any, path: string[], value: unknown): any {
  if (path.length === 0) return value;
  const copy = structuredClone(root);
  let node = copy;
  for (const part of path.slice(0, -1)) node = node[part];
  const last = path[path.length - 1];
  if (value !== undefined) node[last] = value;
  else if (Array.isArray(node)) node.splice(Number(last), 1);
  else delete node[last];
  return copy;
}

const ODD = [
  undefined,
  '',
  ' ',
  'x',
  'A B',
  'a/b/c',
  'group:default/a',
  'a'.repeat(64),
  'ftp://x',
  0,
  -1,
  3,
  101,
  true,
  [],
  {},
  ['x'],
  [''],
  [1],
  { x: 'y' },
  { 'a/b/c': 'y' },
  { name: 'z', url: 'nope' },
];

describe('the rules here and those of the catalog', () => {
  it.each(SOUND.map(entity => [entity.kind, entity] as const))(
    'both take a sound %s',
    async (_, entity) => {
      expect(await refusal(entity)).toBeUndefined();
      expect(ours(entity)).toEqual([]);
    },
  );

  it('agree on what is wrong, whatever is changed', async () => {
    const entity = fc.constantFrom(...SOUND);
    const changed = entity.chain(sound =>
      fc.tuple(
        fc.constant(sound),
        fc.constantFrom(...places(sound)),
        fc.constantFrom(...ODD),
      ),
    );
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(changed, async ([sound, path, value]) => {
        const candidate = change(sound, path, value);
        const reason = await refusal(candidate);
        if (reason === undefined) return;
        refused += 1;
        if (ours(candidate).length === 0)
          throw new Error(
            `${sound.kind} ${path.join('.')} = ${JSON.stringify(
              value,
            )} is let through, and the catalog says: ${reason}`,
          );
      }),
      { numRuns: 3000 },
    );
    // Else nothing was tried.
    expect(refused).toBeGreaterThan(500);
  });

  it('refuse no more than what the catalog cannot use', async () => {
    // References of the wrong kind, and texts of spaces: the catalog takes them, and nothing comes of it.
    const stricter = /must be the ref of|must be a text|must be an address/;
    for (const sound of SOUND)
      for (const path of places(sound))
        for (const value of ODD) {
          const candidate = change(sound, path, value);
          if ((await refusal(candidate)) !== undefined) continue;
          expect({
            path: path.join('.'),
            value,
            found: ours(candidate).filter(line => !stricter.test(line)),
          }).toEqual({ path: path.join('.'), value, found: [] });
        }
  });
});
