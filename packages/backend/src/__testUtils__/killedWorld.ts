import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A server of the tests; without one the template has no database. */
export const POSTGRES =
  process.env.BACKSTAGE_TEST_DATABASE_POSTGRES18_CONNECTION_STRING;
const OWNER = 'group:default/ledger';
export const TOKEN = 'a-token-for-this-test-alone';

const NAME = '${{ parameters.name }}';
const ENTITY = `component:default/${NAME}`;
const STEPS = [
  {
    id: 'preflight',
    action: 'rocket:preflight',
    input: {
      entityRef: ENTITY,
      owner: OWNER,
      effects: [
        { type: 'git.repository', reference: NAME },
        {
          type: 'catalog.entity',
          reference: ENTITY,
          intent: { repository: NAME },
        },
        ...(POSTGRES
          ? [
              {
                type: 'postgres.database',
                reference: `tests/${NAME}`,
                intent: { service: NAME, server: 'tests' },
              },
            ]
          : []),
      ],
    },
  },
  {
    id: 'fetch',
    action: 'fetch:template',
    input: { url: './skeleton', values: { name: NAME } },
  },
  {
    id: 'publish',
    action: 'rocket:publish:local',
    input: { name: NAME, owner: OWNER },
  },
  ...(POSTGRES
    ? [
        {
          id: 'database',
          action: 'rocket:database:create',
          input: {
            name: NAME,
            entityRef: ENTITY,
            owner: OWNER,
            server: 'tests',
          },
        },
      ]
    : []),
  {
    id: 'register',
    action: 'rocket:register',
    input: {
      repository: '${{ steps.publish.output.repository }}',
      commit: '${{ steps.publish.output.commit }}',
    },
  },
];

const SKELETON = {
  'catalog-info.yaml': `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: { name: '\${{ values.name }}' }
spec: { type: service, lifecycle: production, owner: '${OWNER}' }
`,
  'README.md': '# ${{ values.name }}\n',
};

/** Writes a catalog with a template of Rocket's own actions, and the configuration of a backend that has it. */
export function writeWorld(root: string, port: number): void {
  const url = `http://127.0.0.1:${port}`;
  mkdirSync(join(root, 'skeleton'));
  mkdirSync(join(root, 'work'));
  for (const [name, text] of Object.entries(SKELETON)) {
    writeFileSync(join(root, 'skeleton', name), text);
  }
  // JSON is YAML.
  const write = (name: string, ...documents: object[]) =>
    writeFileSync(
      join(root, name),
      documents.map(one => JSON.stringify(one)).join('\n---\n'),
    );
  write(
    'entities.yaml',
    {
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Group',
      metadata: { name: 'ledger' },
      spec: { type: 'team', children: [] },
    },
    {
      apiVersion: 'scaffolder.backstage.io/v1beta3',
      kind: 'Template',
      metadata: { name: 'service' },
      spec: {
        type: 'service',
        owner: OWNER,
        // As the golden templates have it.
        EXPERIMENTAL_recovery: { EXPERIMENTAL_strategy: 'startOver' },
        parameters: [],
        steps: STEPS.map(step => ({ name: step.id, ...step })),
      },
    },
  );
  write('app-config.yaml', {
    app: { baseUrl: url },
    organization: { name: 'Test' },
    backend: {
      baseUrl: url,
      listen: { host: '127.0.0.1', port },
      workingDirectory: join(root, 'work'),
      database: {
        client: 'better-sqlite3',
        connection: { directory: join(root, 'sqlite') },
      },
      auth: {
        externalAccess: [
          { type: 'static', options: { token: TOKEN, subject: 'test' } },
        ],
      },
    },
    events: { useEventBus: 'never' },
    scaffolder: {
      concurrentTasksLimit: 50,
      taskRecovery: {
        enabled: true,
        staleTimeout: { seconds: 5 },
        workspaceProvider: 'disk',
      },
      savedWorkspaces: { directory: join(root, 'workspaces') },
    },
    catalog: {
      stitchingStrategy: { pollingInterval: { milliseconds: 200 } },
      locations: [
        {
          type: 'file',
          target: join(root, 'entities.yaml'),
          rules: [{ allow: ['Group', 'Template'] }],
        },
      ],
    },
    provisioning: {
      dataDir: join(root, 'data'),
      local: { enabled: false },
      ...(POSTGRES
        ? { databases: { servers: { tests: { url: POSTGRES } } } }
        : {}),
    },
  });
}
