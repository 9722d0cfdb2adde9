import {
  createMockDirectory,
  mockCredentials,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { ConflictError } from '@backstage/errors';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning, withLedger } from '../__testUtils__/provisioning';
import { createRegisterAction } from './register';

const COMMIT = 'c'.repeat(40);
const CATALOG_INFO = `apiVersion: backstage.io/v1alpha1
kind: API
metadata:
  name: pay
spec:
  type: openapi
  lifecycle: production
  owner: ledger
  definition:
    $text: ./docs/openapi.yaml
---
# nothing here
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: pay
  namespace: money
  annotations:
    example.com/limits: { $json: ./limits.json }
spec:
  type: service
  owner: ledger
`;

describe('rocket:register', () => {
  const workspace = createMockDirectory();
  const registry = {
    register: jest.fn(),
  } as unknown as jest.Mocked<CiRegistryService>;
  let catalog: ReturnType<typeof catalogServiceMock.mock>;
  let provisioning: ReturnType<typeof mockProvisioning>;
  let ledger: ReturnType<typeof withLedger>;

  beforeEach(() => {
    registry.register.mockReset().mockResolvedValue({
      results: [
        { entityRef: 'api:default/pay', outcome: 'unchanged' },
        { entityRef: 'component:money/pay', outcome: 'created' },
      ],
    });
    catalog = catalogServiceMock.mock();
    provisioning = mockProvisioning();
    ledger = withLedger(provisioning);
    catalog.getEntitiesByRefs.mockResolvedValue({ items: [] });
    workspace.setContent({
      'catalog-info.yaml': CATALOG_INFO,
      'limits.json': '"low"',
      docs: { 'openapi.yaml': 'openapi: 3.1.0\n' },
    });
  });

  function run(
    input: Record<string, unknown> = {},
    options: { dryRun?: boolean; checkpoints?: Map<string, unknown> } = {},
  ) {
    const made = createContext({
      input: {
        repository: 'http://127.0.0.1/git/pay.git',
        commit: COMMIT,
        waitSeconds: 0,
        ...input,
      },
      workspacePath: workspace.path,
      checkpoints: options.checkpoints,
    });
    Object.assign(made.context, { isDryRun: options.dryRun });
    const action = createRegisterAction({
      registry,
      catalog,
      provisioning,
      pollMs: 1,
    });
    return { ...made, done: action.handler(made.context) };
  }

  it('pushes whole entities as the user and waits until the catalog shows them', async () => {
    const shown = (name: string, commit: string) => ({
      apiVersion: '',
      kind: name,
      metadata: {
        name,
        annotations: { 'rocket.internal/source-commit': commit },
      },
    });
    catalog.getEntitiesByRefs
      .mockRejectedValueOnce(new Error('catalog away'))
      .mockResolvedValueOnce({ items: [shown('api', 'older'), undefined] })
      .mockResolvedValueOnce({ items: [shown('component', 'older')] })
      .mockResolvedValueOnce({ items: [shown('component', COMMIT)] });
    const { done, outputs, lines, checkpoints } = run({
      waitSeconds: 30,
      branch: 'main',
    });
    await done;
    const [[request, options]] = registry.register.mock.calls;
    expect(options).toEqual({ credentials: mockCredentials.user() });
    expect(request.source).toEqual({
      repository: 'http://127.0.0.1/git/pay.git',
      commit: COMMIT,
      branch: 'main',
      pipeline: 'scaffolder:mock-task-id',
      time: expect.stringMatching(/^20.*Z$/),
    });
    expect(request.entities).toMatchObject([
      { kind: 'API', spec: { definition: 'openapi: 3.1.0\n' } },
      {
        kind: 'Component',
        metadata: { annotations: { 'example.com/limits': 'low' } },
      },
    ]);
    expect(outputs).toEqual({
      entityRef: 'component:money/pay',
      entityRefs: ['api:default/pay', 'component:money/pay'],
    });
    expect(lines()).toEqual([
      'api:default/pay: unchanged',
      'component:money/pay: created',
      'The catalog shows it',
    ]);

    // Written before the push and after it.
    expect(ledger.log).toEqual([
      'catalog.entity component:money/pay planned',
      'catalog.entity component:money/pay made',
    ]);
    expect([...ledger.effects.values()]).toMatchObject([
      {
        subject: 'component:money/pay',
        owner: 'group:money/ledger',
        run: 'task:mock-task-id',
        step: 'mock-step-id',
        state: 'live',
        intent: {
          repository: 'http://127.0.0.1/git/pay.git',
          commit: COMMIT,
          others: ['api:default/pay'],
        },
      },
    ]);

    const again = run({}, { checkpoints });
    await again.done;
    expect(registry.register.mock.calls[1][0].source.time).toBe(
      request.source.time,
    );
  });

  it('does not fail when only the catalog is slow', async () => {
    const { done, lines, outputs } = run();
    await done;
    expect(lines().join()).toMatch(
      /stored, but the catalog does not show it yet/,
    );
    expect(outputs.entityRef).toBe('component:money/pay');
  });

  it('says what exists when the registry refuses', async () => {
    registry.register.mockRejectedValue(
      new ConflictError('component:money/pay belongs to acme/pay'),
    );
    await expect(run().done).rejects.toThrow(
      'Could not register api:default/pay, component:money/pay: component:money/pay belongs to acme/pay. What exists now: the repository http://127.0.0.1/git/pay.git and whatever the earlier steps made; nothing new is in the catalog. What to do:',
    );
  });

  it.each([
    [
      'there is no such file',
      { 'catalog-info.yaml': null },
      /^path: cannot read catalog-info.yaml: there is no such file/,
    ],
    ['no entity', { 'catalog-info.yaml': '---\n' }, /holds no entity/],
    ['bad YAML', { 'catalog-info.yaml': 'a: [\n' }, /document 1: .*line/s],
    ['a list', { 'catalog-info.yaml': '- a' }, /document 1: is not an entity/],
    [
      'an alias bomb',
      {
        'catalog-info.yaml': `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[...'bcdefg']
          .map((c, i) => `${c}: &${c} [${Array(10).fill(`*${'abcdefg'[i]}`)}]`)
          .join('\n')}`,
      },
      /document 1: .*alias/i,
    ],
    [
      'a missing definition',
      { docs: {} },
      /document 1\.spec\.definition: cannot read \.\/docs\/openapi\.yaml: there is no such file/,
    ],
    [
      'an address',
      {
        'catalog-info.yaml': CATALOG_INFO.replace(
          './docs/openapi.yaml',
          'http://169.254.169.254/',
        ),
      },
      /must name a file of the workspace/,
    ],
    [
      'a way out',
      {
        'catalog-info.yaml': CATALOG_INFO.replace(
          './docs/openapi.yaml',
          '../../../../etc/passwd',
        ),
      },
      /cannot read .*outside its parent/,
    ],
    [
      'bad JSON',
      { 'limits.json': '{' },
      /document 3\.metadata\.annotations\.example\.com\/limits: cannot read/,
    ],
  ])('refuses %s before it pushes', async (_name, content, message) => {
    for (const [path, value] of Object.entries(content)) {
      if (value === null) {
        workspace.clear();
      } else {
        const before = workspace.content() as Record<string, never>;
        workspace.setContent({ ...before, [path]: value });
      }
    }
    await expect(run().done).rejects.toThrow(message);
    expect(registry.register).not.toHaveBeenCalled();
  });

  it('in a dry run reads everything and pushes nothing', async () => {
    const { done, outputs } = run({}, { dryRun: true });
    await done;
    expect(outputs.entityRef).toBe('component:money/pay');
    expect(registry.register).not.toHaveBeenCalled();
    expect(catalog.getEntitiesByRefs).not.toHaveBeenCalled();
  });
});
