import { ConfigReader } from '@backstage/config';
import { readClusters } from './config';
import { ClientNodeConnection } from './connection';
import { clusterConfig, connect, describeOnCluster } from './testUtils';

jest.setTimeout(120_000);

describeOnCluster('the connection to a real API server', cluster => {
  const raw = () =>
    new ClientNodeConnection(
      readClusters(new ConfigReader(clusterConfig(cluster))).clusters[0],
    );

  it('brings bookmarks, which have a version and no name', async () => {
    const connection = raw();
    const { client, close } = connect(cluster);
    const kind = { apiVersion: 'v1', kind: 'ConfigMap' };
    const namespace = 'default';
    const bookmarks: any[] = [];
    const changes: number[] = [];
    // After a change a server sends one now and then, and two seconds before the end of a watch.
    while (bookmarks.length === 0) {
      const { resourceVersion } = await client.list(kind);
      const ended = new Promise<void>((resolve, reject) => {
        connection
          .openWatch({
            path: '/api/v1/configmaps',
            query: {
              resourceVersion,
              allowWatchBookmarks: 'true',
              timeoutSeconds: '9',
            },
            connectMs: 10_000,
            onEvent: (type, { metadata }) => {
              if (type === 'BOOKMARK') bookmarks.push(metadata);
              else changes.push(Number(metadata.resourceVersion));
            },
            onEnd: error => (error ? reject(error) : resolve()),
          })
          .catch(reject);
      });
      const made = await client.create({
        ...kind,
        metadata: { generateName: 'bookmark-', namespace },
      });
      await ended;
      await client.delete({ ...kind, namespace, name: made.metadata.name! });
    }
    close();
    connection.close();
    const [{ name, resourceVersion }] = bookmarks;
    expect(name).toBeUndefined();
    expect(Number(resourceVersion)).toBeGreaterThanOrEqual(
      changes[changes.length - 1],
    );
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
