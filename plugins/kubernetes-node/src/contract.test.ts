import { clientContract, connect, FakeApiServer } from './testUtils';

jest.setTimeout(60_000);

clientContract(
  'client contract on the fake API server',
  async () => {
    const fake = await FakeApiServer.start();
    const own = connect(fake.cluster);
    const other = connect({ ...fake.cluster, token: fake.strangersToken });
    return {
      client: own.client,
      stranger: { client: other.client, user: 'stranger' },
      cutConnections: () => fake.cutWatches(),
      async close() {
        own.close();
        other.close();
        await fake.away();
      },
    };
  },
  {
    'built-in schemas': 'the fake checks only custom kinds against a schema',
    defaulting: 'the fake adds nothing to what it is given',
    'garbage collection': 'the fake does not follow owner references',
    'pod security': 'the fake has no admission',
    quota: 'the fake counts nothing; tests inject that answer',
    'workload controllers': 'the fake makes no ReplicaSets and no pods',
  },
);
