import type { KubernetesClient } from '@rocket/kubernetes-node';
import {
  connect,
  FakeApiServer,
  faults,
  type Fault,
} from '@rocket/kubernetes-node/testUtils';
import { playControllers } from '../__testUtils__/controllers';
import { IMAGE, skeletonFiles } from '../__testUtils__/skeleton';
import { identityOf } from '../manifests';
import { Applier } from './Applier';
import { BlueGreen } from './BlueGreen';
import { MARKS } from './marks';
import { buildRelease } from './release';
import { DEFAULT_SETTINGS, type Place } from './settings';
import { removeNamespace, removeObjects } from './teardown';

jest.setTimeout(120_000);

const PLACE: Place = {
  cluster: 'fake',
  namespace: 'ledger-test',
  environment: 'test',
  tier: 'development',
  ownsNamespace: true,
  externalSecrets: true,
  url: 'http://ledger',
};
const SETTINGS = {
  ...DEFAULT_SETTINGS,
  pollMs: 5,
  watchMs: 0,
  keepMs: 0,
  readyTimeoutMs: 20_000,
  secretTimeoutMs: 20_000,
};
const releaseOf = (commit: string, change = (text: string) => text) =>
  buildRelease({
    service: 'ledger',
    entityRef: 'component:default/ledger',
    owner: 'group:default/payments',
    commit: commit.repeat(40),
    image: IMAGE.replace(/@.*/, `@sha256:${commit.repeat(64)}`),
    place: PLACE,
    files: new Map(
      [...skeletonFiles()].map(([file, text]) => [file, change(text)]),
    ),
  });

describe('deployments while the API server has faults', () => {
  let fake: FakeApiServer;
  let client: KubernetesClient;
  let controllers: { stop(): Promise<void> };
  const ends: (() => unknown)[] = [];

  beforeEach(async () => {
    fake = await FakeApiServer.start();
    // Nobody waits between attempts here.
    const connection = connect(fake.cluster, { delay: async () => {} });
    client = connection.client;
    const other = connect(fake.cluster);
    controllers = await playControllers(other.client);
    ends.push(
      () => controllers.stop(),
      () => connection.close(),
      () => other.close(),
      () => fake.away(),
    );
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  const deploy = (release = releaseOf('1'), through = client) =>
    new BlueGreen({ client: through, settings: SETTINGS }).deploy(release, {
      signal: AbortSignal.timeout(60_000),
      onPhase: async () => {},
    });

  /** What is on the server, without what differs from run to run. */
  async function state(): Promise<string[]> {
    const objects = await new Applier(client, 'ledger').list(PLACE.namespace);
    const namespace = await client.get({
      apiVersion: 'v1',
      kind: 'Namespace',
      name: PLACE.namespace,
    });
    return [...objects, ...(namespace ? [namespace] : [])]
      .map(
        ({ apiVersion, kind, metadata, spec }) =>
          `${identityOf({
            apiVersion,
            kind,
            metadata,
          })} ${metadata.annotations?.[MARKS.commit]?.[0]} ${JSON.stringify(
            spec,
          )}`,
      )
      .sort();
  }

  async function removeAll(): Promise<void> {
    while (
      (await removeObjects(client, 'ledger', PLACE.namespace)).outcome !==
      'done'
    );
    while (
      (await removeNamespace(client, PLACE.namespace, undefined)).outcome !==
      'done'
    );
  }

  const passing: [string, Fault][] = [
    ['overloaded (429)', faults.throttled(1)],
    ['broken (500)', faults.broken()],
    ['cut off', 'cut'],
    ['cut off after it was done', 'cutAfter'],
    ['slow', { delayMs: 50 }],
  ];
  it.each(passing)('goes on through: %s', async (_, fault) => {
    await deploy();
    const undisturbed = await state();
    const calls = fake.seen.length;
    await removeAll();
    for (const method of ['GET', 'PATCH', 'PATCH'])
      fake.inject({ method, path: /ledger-test/, fault });
    const before = fake.seen.length;
    await deploy();
    await expect(state()).resolves.toEqual(undisturbed);
    // Each fault costs an attempt, not a storm.
    expect(fake.seen.length - before).toBeLessThan(calls + 60);
  });

  it('says that nobody answers, and has written nothing', async () => {
    await fake.away();
    const before = fake.writes.length;
    await expect(deploy()).rejects.toMatchObject({ kind: 'network' });
    await fake.back();
    expect(fake.writes).toHaveLength(before);
    await deploy();
  });

  it.each([
    [
      'an invalid field (422)',
      {
        status: 422,
        body: {
          kind: 'Status',
          reason: 'Invalid',
          message: 'invalid',
          details: {
            causes: [{ field: 'spec.ports', message: 'must be a port' }],
          },
        },
      },
      /spec\.ports: must be a port/,
    ],
    [
      'a field that is not known (500 without a reason)',
      {
        status: 500,
        body: {
          kind: 'Status',
          message:
            'failed to create typed patch object (ledger-test/ledger; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema',
        },
      },
      /\.spec\.replica: the kind has no such field/,
    ],
    [
      'a webhook that refuses',
      faults.webhook('images.example.com', 'the image is not signed'),
      /the image is not signed/,
    ],
    [
      'a quota',
      faults.quota('rocket', 'pods=1', 'pods=40', 'pods=40'),
      /exceeded quota/,
    ],
    ['rights', faults.forbidden('patch services'), /cannot patch services/],
  ] as [string, Fault, RegExp][])(
    'asks first, and takes back what it made for the question: %s',
    async (_, fault, reason) => {
      fake.inject({ method: 'PATCH', path: /services\/ledger/, fault });
      const seen = fake.seen.length;
      const attempt = deploy();
      await expect(attempt).rejects.toThrow(reason);
      await expect(attempt).rejects.toThrow(/nothing was changed/);
      // A refusal is an answer: asked once.
      expect(
        fake.seen
          .slice(seen)
          .filter(
            ({ method, path }) =>
              method === 'PATCH' && path.endsWith('/services/ledger'),
          ),
      ).toHaveLength(1);
      const written = fake.writes
        .filter(({ method }) => method !== 'DELETE')
        .filter(({ path }) => path.includes('ledger') && !/status$/.test(path));
      expect(written.map(({ path }) => path)).toEqual([
        '/api/v1/namespaces/ledger-test',
      ]);
    },
  );

  it('says that the namespace is going, and what holds it', async () => {
    await client.apply({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: PLACE.namespace },
    });
    await client.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'held',
        namespace: PLACE.namespace,
        finalizers: ['example.com/never'],
      },
    });
    await client.delete({
      apiVersion: 'v1',
      kind: 'Namespace',
      name: PLACE.namespace,
    });
    await expect(deploy()).rejects.toThrow(
      /ledger-test is being deleted.*ConfigMap held \(waits for example\.com\/never\)/,
    );
  });

  /** From its `at`th write on, nothing that this client is asked for happens: as if the backend had been killed. */
  function dyingAt(at: number) {
    let writes = 0;
    let dead = false;
    const dying = new Proxy(client, {
      get(target, name: keyof KubernetesClient) {
        const method = target[name];
        if (typeof method !== 'function') return method;
        return (...args: any[]) => {
          const writing =
            ['apply', 'create', 'mergePatch', 'delete'].includes(name) &&
            !args[1]?.dryRun;
          if (writing && ++writes >= at) dead = true;
          if (dead) throw new Error('killed');
          return (method as any).apply(target, args);
        };
      },
    });
    return { dying, survived: () => !dead };
  }

  it('killed before any write, done again, ends the same; undone, leaves nothing', async () => {
    await deploy(releaseOf('1'));
    const first = await state();
    await deploy(releaseOf('2'));
    const second = await state();
    expect(second).not.toEqual(first);
    await removeAll();
    await expect(state()).resolves.toEqual([]);

    let kills = 0;
    for (let at = 1; ; at++) {
      const { dying, survived } = dyingAt(at);
      const run = async () => {
        await deploy(releaseOf('1'), dying);
        await deploy(releaseOf('2'), dying);
      };
      await run().catch(error => {
        if (!/killed/.test(error.message)) throw error;
      });
      if (survived()) break;
      kills = at;
      // Every other one is taken up again before it is taken back.
      const again = at % 2 === 1;
      if (again) {
        await deploy(releaseOf('1'));
        await deploy(releaseOf('2'));
      }
      const reached = await state();
      expect(again ? reached : second).toEqual(second);
      await removeAll();
      await expect(state()).resolves.toEqual([]);
    }
    // All objects of both versions, the change-over, and what is cleaned up.
    expect(kills).toBeGreaterThan(30);
  }, 600_000);

  it('puts everything back when the second version cannot be finished', async () => {
    await deploy(releaseOf('1'));
    const before = await state();
    await controllers.stop();
    const other = connect(fake.cluster);
    controllers = await playControllers(
      other.client,
      image => !image.includes('2'.repeat(64)),
    );
    ends.push(() => other.close());
    const attempt = new BlueGreen({
      client,
      settings: { ...SETTINGS, readyTimeoutMs: 200 },
    }).deploy(
      releaseOf('2', text => text.replace('port: 5432', 'port: 6432')),
      { signal: AbortSignal.timeout(60_000), onPhase: async () => {} },
    );
    await expect(attempt).rejects.toThrow(/0 of 1 instances are ready/);
    await expect(state()).resolves.toEqual(before);
  });
});
