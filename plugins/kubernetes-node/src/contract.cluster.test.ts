import {
  clientContract,
  connect,
  cuttableProxy,
  describeOnCluster,
} from './testUtils';

jest.setTimeout(60_000);

describeOnCluster('a real API server', cluster => {
  clientContract('client contract', async () => {
    const proxy = await cuttableProxy(cluster.url);
    const own = connect({ ...cluster, url: proxy.url });
    const other = connect({ ...cluster, token: cluster.strangersToken });
    return {
      client: own.client,
      stranger: { client: other.client, user: 'stranger' },
      cutConnections: proxy.cut,
      async close() {
        own.close();
        other.close();
        await proxy.close();
      },
    };
  });
});
