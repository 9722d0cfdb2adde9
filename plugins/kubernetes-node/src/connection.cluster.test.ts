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
    const { client, close } = connect(cluster);
    const { resourceVersion } = await client.list({
      apiVersion: 'v1',
      kind: 'Node',
    });
    close();
    const events: [string, any][] = [];
    await new Promise<void>((resolve, reject) => {
      connection
        .openWatch({
          path: '/api/v1/nodes',
          // The server sends one two seconds before it ends the watch.
          query: {
            resourceVersion,
            allowWatchBookmarks: 'true',
            timeoutSeconds: '4',
          },
          connectMs: 10_000,
          onEvent: (type, object) => events.push([type, object]),
          onEnd: error => (error ? reject(error) : resolve()),
        })
        .catch(reject);
    });
    connection.close();
    expect(events.map(([type]) => type)).toContain('BOOKMARK');
    const { metadata } = events[0][1];
    expect(metadata.name).toBeUndefined();
    expect(Number(metadata.resourceVersion)).toBeGreaterThanOrEqual(
      Number(resourceVersion),
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
