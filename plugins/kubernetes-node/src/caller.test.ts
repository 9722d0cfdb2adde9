import { ConfigReader } from '@backstage/config';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readClusters } from './config';
import { DefaultKubernetesService } from './DefaultKubernetesService';
import { KubernetesError } from './errors';
import { clusterConfig, connect, FakeApiServer, faults } from './testUtils';
import type { KubernetesClient } from './types';

const namespace = 'default';
const map = (name: string, data = { a: '1' }) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});
const ref = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace,
  name,
});

describe('calls of a cluster that misbehaves', () => {
  let fake: FakeApiServer;
  let client: KubernetesClient;
  let close: () => void;
  let waits: number[];
  let logged: string[];

  beforeEach(async () => {
    fake = await FakeApiServer.start();
    waits = [];
    logged = [];
    const log = (message: string) => logged.push(message);
    const logger: any = { debug: log, info: log, warn: log, error: log };
    logger.child = () => logger;
    ({ client, close } = connect(fake.cluster, {
      logger,
      random: () => 1,
      delay: async ms => {
        waits.push(ms);
      },
    }));
    // Discovery, which every first call of a kind asks for.
    await client.findResource({ apiVersion: 'v1', kind: 'ConfigMap' });
    fake.seen.length = 0;
  });

  afterEach(async () => {
    close();
    await fake.away();
  });

  const errorOf = async (call: Promise<unknown>): Promise<KubernetesError> => {
    const error = await call.then(
      () => undefined,
      e => e,
    );
    expect(error).toBeInstanceOf(KubernetesError);
    return error;
  };
  const everything = (error: Error) =>
    JSON.stringify([error, error.message, error.stack, logged]);

  it('repeats what may be repeated, as late as it is told', async () => {
    fake.inject({ method: 'PATCH', fault: faults.throttled(7) });
    fake.inject({ method: 'PATCH', fault: faults.broken() });
    fake.inject({ method: 'PATCH', fault: 'cut' });
    const { created } = await client.apply(map('a'));
    expect(created).toBe(true);
    expect(fake.seen).toHaveLength(4);
    // 7 s by Retry-After, then 250 ms doubled twice.
    expect(waits).toEqual([7000, 500, 1000]);
  });

  it('gives up after four attempts, and says what was wrong', async () => {
    fake.inject({ times: 9, fault: faults.broken() });
    const error = await errorOf(client.get(ref('a')));
    expect(error).toMatchObject({
      kind: 'server',
      status: 500,
      reason: 'InternalError',
      retryable: true,
      cluster: 'fake',
    });
    expect(error.message).toBe(
      "Cluster 'fake' refused to get v1 ConfigMap default/a: Internal error occurred: etcdserver: leader changed",
    );
    expect(fake.seen).toHaveLength(4);
  });

  it('does not wait longer than half a minute for a server', async () => {
    fake.inject({ fault: faults.throttled(3600) });
    const error = await errorOf(client.get(ref('a')));
    expect(error).toMatchObject({ kind: 'throttled', retryAfterMs: 3_600_000 });
    expect(fake.seen).toHaveLength(1);
  });

  it.each(['cut', 'cutAfter', faults.broken(), faults.throttled(0)] as const)(
    'sends a create once (%j)',
    async fault => {
      fake.inject({ method: 'POST', fault });
      await errorOf(client.create(map('a')));
      expect(fake.writes).toHaveLength(1);
    },
  );

  it('finds done what broke after it was done', async () => {
    fake.inject({ method: 'PATCH', fault: 'cutAfter' });
    await client.apply(map('a'));
    fake.inject({ method: 'DELETE', fault: 'cutAfter' });
    expect(await client.delete(ref('a'))).toEqual({ state: 'absent' });
    expect(fake.writes.map(w => w.method)).toEqual([
      'PATCH',
      'PATCH',
      'DELETE',
      'DELETE',
    ]);
  });

  it.each([
    ['conflict', faults.modified('a')],
    ['quota', faults.quota('few', 'pods=1', 'pods=4', 'pods=4')],
    ['denied', faults.webhook('policy.example.com', 'no latest tags')],
    ['forbidden', faults.forbidden('patch configmaps')],
  ] as const)(
    'does not repeat what is refused for good: %s',
    async (kind, fault) => {
      fake.inject({ method: 'PATCH', fault });
      expect(await errorOf(client.apply(map('a')))).toMatchObject({
        kind,
        retryable: false,
      });
      expect(fake.seen).toHaveLength(1);
    },
  );

  it('says which quota is used up, and what a webhook said', async () => {
    fake.inject({ fault: faults.quota('few', 'pods=1', 'pods=4', 'pods=4') });
    expect((await errorOf(client.apply(map('a')))).message).toContain(
      'exceeded quota: few, requested: pods=1, used: pods=4, limited: pods=4',
    );
    fake.inject({
      fault: faults.webhook('policy.example.com', 'no latest tags'),
    });
    expect((await errorOf(client.apply(map('a')))).message).toContain(
      'admission webhook "policy.example.com" denied the request: no latest tags',
    );
  });

  it('repeats when a webhook does not answer', async () => {
    fake.inject({ fault: faults.webhookDown('policy.example.com') });
    expect((await client.apply(map('a'))).created).toBe(true);
  });

  it('gives a slow server up, and tries again', async () => {
    fake.inject({ fault: 'hang', times: 2 });
    expect(await client.get(ref('a'), { timeoutMs: 400 })).toBeUndefined();
    expect(fake.seen).toHaveLength(3);
    fake.inject({ fault: 'hang', times: 9 });
    const error = await errorOf(client.get(ref('a'), { timeoutMs: 400 }));
    expect(error).toMatchObject({ kind: 'timeout', retryable: true });
    expect(error.message).toContain('within 0.4 s');
  });

  it('gives up at once when the caller does', async () => {
    fake.inject({ fault: 'hang' });
    const controller = new AbortController();
    const call = client.get(ref('a'), { signal: controller.signal });
    const reason = new Error('not needed any more');
    setImmediate(() => controller.abort(reason));
    await expect(call).rejects.toBe(reason);
    await expect(
      client.get(ref('a'), { signal: controller.signal }),
    ).rejects.toBe(reason);
    expect(fake.seen.length).toBeLessThan(2);
  });

  it('says that a cluster is away, and works again when it is back', async () => {
    await fake.away();
    const error = await errorOf(client.get(ref('a')));
    expect(error).toMatchObject({ kind: 'network', retryable: true });
    expect(error.status).toBeUndefined();
    expect(error.message).toBe(
      "Cluster 'fake' gave no answer to get v1 ConfigMap default/a (ECONNREFUSED)",
    );
    await fake.back();
    expect(await client.get(ref('a'))).toBeUndefined();
  });

  it('shows no token, header or body, whatever comes', async () => {
    const answers = [
      { status: 502, body: `<html>${fake.token} proxy</html>` },
      { status: 403, body: { secret: fake.token } },
      {
        status: 500,
        body: { kind: 'Status', message: `bad Bearer ${fake.token}` },
      },
      {
        status: 400,
        body: { kind: 'Status', message: 'Bearer eyJhbGciOi.x.y no' },
      },
      { status: 400, body: 'x'.repeat(100_000) },
      { status: 200, body: `not JSON ${fake.token}` },
      { status: 401, body: `who is ${fake.token}` },
    ];
    for (const fault of answers) {
      fake.inject({ fault, times: 4 });
      const error = await errorOf(client.get(ref('a')));
      expect(everything(error)).not.toMatch(/fake-token|eyJ|html|not JSON/);
      expect(error.message.length).toBeLessThan(1500);
      fake.forgetFaults();
    }
    await fake.away();
    expect(everything(await errorOf(client.get(ref('a'))))).not.toContain(
      fake.token,
    );
  });

  it('lets no name lead a path elsewhere', async () => {
    for (const name of ['..', '.', 'a/../../secrets/b', 'a%2Fb', ''])
      expect((await errorOf(client.get(ref(name)))).fields).toEqual([
        { field: 'metadata.name', message: expect.any(String) },
      ]);
    expect(
      (await errorOf(client.get({ ...ref('a'), namespace: '../x' }))).fields[0]
        .field,
    ).toBe('metadata.namespace');
    expect(fake.seen).toEqual([]);
    await client.get(ref('a?b#c d'));
    expect(fake.seen[0].path).toBe(
      '/api/v1/namespaces/default/configmaps/a%3Fb%23c%20d',
    );
  });

  it('refuses a namespace where none belongs, and none where one does', async () => {
    expect(
      (await errorOf(client.apply({ ...map('a'), metadata: { name: 'a' } })))
        .fields[0].field,
    ).toBe('metadata.namespace');
    await errorOf(
      client.get({ apiVersion: 'v1', kind: 'Namespace', name: 'a', namespace }),
    );
    expect(fake.seen.filter(s => s.path.includes('/namespaces'))).toEqual([]);
  });

  it('refuses labels that would be more than labels', async () => {
    await expect(
      client.list({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        labelSelector: { team: 'a,owner=b' },
      }),
    ).rejects.toThrow("'team=a,owner=b' is no Kubernetes label");
  });

  it('starts a list anew once when its pages are too old', async () => {
    for (const name of ['a', 'b', 'c']) await client.apply(map(name));
    const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace };
    const expired = {
      status: 410,
      body: { kind: 'Status', reason: 'Expired', message: 'too old' },
    };
    const pages = () => fake.seen.filter(s => s.method === 'GET').length;
    fake.seen.length = 0;
    fake.inject({ path: /configmaps/, times: 1, fault: expired });
    expect(await client.listAll(query, { pageSize: 2 })).toHaveLength(3);
    expect(pages()).toBe(3);
    fake.inject({ path: /configmaps/, times: 2, fault: expired });
    expect((await errorOf(client.listAll(query))).kind).toBe('expired');
  });

  it('reads logs, the last lines of bounded size', async () => {
    fake.log = pod => `log of ${pod}\n`;
    expect(
      await client.logs(
        { namespace, name: 'p' },
        { container: 'c', previous: true },
      ),
    ).toBe('log of p\n');
    expect(fake.seen[fake.seen.length - 1].query).toEqual({
      container: 'c',
      previous: 'true',
      tailLines: '500',
      limitBytes: '262144',
    });
  });

  it('asks for kinds once, and anew for what it did not find', async () => {
    const definition = (group: string) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `things.${group}` },
      spec: {
        group,
        scope: 'Cluster',
        names: { kind: 'Thing', plural: 'things' },
        versions: [{ name: 'v1', served: true, storage: true }],
      },
    });
    const kind = { apiVersion: 'example.com/v1', kind: 'Thing' };
    expect(await client.findResource(kind)).toBeUndefined();
    await client.apply(definition('example.com'));
    expect(await client.findResource(kind)).toMatchObject({
      namespaced: false,
    });
    fake.seen.length = 0;
    await client.findResource(kind);
    expect(fake.seen).toEqual([]);
    await client.delete({
      ...definition('example.com'),
      name: 'things.example.com',
    });
    expect((await errorOf(client.get({ ...kind, name: 'a' }))).kind).toBe(
      'not-served',
    );
    expect(await client.findResource(kind)).toBeUndefined();
  });

  it('lists the kinds that it can when a part of the API is down', async () => {
    fake.inject({ path: /apis\/apps\/v1$/, times: 4, fault: { status: 503 } });
    const { resources, failed } = await client.listResources();
    expect(failed).toEqual(['apps/v1']);
    expect(resources.map(r => r.kind)).toContain('Pod');
  });
});

describe('connections', () => {
  let server: Server;
  afterEach(() => server.close());

  it('are shared by the calls to a cluster', async () => {
    let sockets = 0;
    server = createServer((_, response) => {
      response.end(JSON.stringify({ gitVersion: 'v1.36.3' }));
    });
    server.on('connection', () => sockets++);
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { client, close } = connect({ name: 'a', url, token: 'token' });
    for (let i = 0; i < 5; i++) await client.version();
    expect(sockets).toBe(1);
    close();
  });
});

describe('clusters', () => {
  it('are found by name, and those that are not say why', () => {
    const config = clusterConfig({ name: 'a', url: 'https://a', token: 't' });
    (config.kubernetes as any).clusterLocatorMethods[0].clusters.push({
      name: 'b',
      url: 'https://b',
      authProvider: 'google',
    });
    const logger: any = { child: () => logger };
    const service = new DefaultKubernetesService({
      settings: readClusters(new ConfigReader(config)),
      logger,
    });
    expect(service.listClusters()).toEqual([{ name: 'a', url: 'https://a' }]);
    expect(service.getClient('a')).toBe(service.getClient('a'));
    expect(() => service.getClient('b')).toThrow(
      "Rocket cannot use cluster 'b': its authProvider is 'google'",
    );
    expect(() => service.getClient('c')).toThrow(
      "There is no cluster named 'c'. Configured clusters: a",
    );
  });
});
