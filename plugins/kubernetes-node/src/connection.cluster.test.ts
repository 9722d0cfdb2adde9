import { ConfigReader } from '@backstage/config';
import { readClusters } from './config';
import { ClientNodeConnection } from './connection';
import { clusterConfig, connect, describeOnCluster } from './testUtils';

jest.setTimeout(60_000);

describeOnCluster('the connection to a real API server', cluster => {
  const raw = () =>
    new ClientNodeConnection(
      readClusters(new ConfigReader(clusterConfig(cluster))).clusters[0],
    );

  it('brings bookmarks, which have a version and no name', async () => {
    const connection = raw();
    const events: [string, any][] = [];
    const { client, close } = connect(cluster);
    const query = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: 'default',
    };
    const { resourceVersion } = await client.list(query);
    const ended = new Promise<void>((resolve, reject) => {
      connection
        .openWatch({
          path: '/api/v1/namespaces/default/configmaps',
          // After something happened the server sends one, two seconds before the end.
          query: {
            resourceVersion,
            allowWatchBookmarks: 'true',
            timeoutSeconds: '8',
          },
          connectMs: 10_000,
          onEvent: (type, object) => events.push([type, object]),
          onEnd: error => (error ? reject(error) : resolve()),
        })
        .catch(reject);
    });
    const { metadata: made } = await client.create({
      apiVersion: query.apiVersion,
      kind: query.kind,
      metadata: { generateName: 'bookmark-', namespace: 'default' },
    });
    await ended;
    await client.delete({ ...query, name: made.name! });
    close();
    connection.close();
    const versionOf = (wanted: string) =>
      events
        .filter(([type]) => type === wanted)
        .map(([, { metadata }]) => [metadata.name, metadata.resourceVersion]);
    expect(versionOf('ADDED')).toEqual([[made.name, made.resourceVersion]]);
    expect(versionOf('BOOKMARK').length).toBeGreaterThan(0);
    for (const [name, version] of versionOf('BOOKMARK')) {
      expect(name).toBeUndefined();
      expect(Number(version)).toBeGreaterThanOrEqual(
        Number(made.resourceVersion),
      );
    }
  });

  it('tells of a watch that is refused', async () => {
    const connection = raw();
    const error = await new Promise<any>((resolve, reject) => {
      connection
        .openWatch({
          path: '/api/v1/nothings',
          query: {},
          connectMs: 10_000,
          onEvent: () => {},
          onEnd: resolve,
        })
        .catch(reject);
    });
    expect(error.statusCode).toBe(404);
    connection.close();
  });

  it('trusts no certificate that it was not told of, and no token that is not valid', async () => {
    const untrusting = connect({ ...cluster, caFile: undefined });
    await expect(untrusting.client.version()).rejects.toMatchObject({
      kind: 'network',
      retryable: false,
      message: expect.stringContaining("Check the cluster's caData or caFile"),
    });
    untrusting.close();
    const token = 'no-token-of-this-cluster';
    const unknown = connect({ ...cluster, token });
    await expect(unknown.client.version()).rejects.toMatchObject({
      kind: 'unauthorized',
      status: 401,
      retryable: false,
      message: expect.not.stringContaining(token),
    });
    unknown.close();
  });
});
