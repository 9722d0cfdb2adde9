import { runNrql } from '../nrql/runNrql';
import { EventStore } from './EventStore';
import { ManagedObjects } from './ManagedObjects';
import { ServiceLevelMeter } from './ServiceLevelMeter';

const ACCOUNT = { id: 1, name: 'a', apiKey: 'k', licenseKey: 'l' };
const MINUTE = 60_000;
const T0 = Date.parse('2026-11-21T12:00:00Z');

describe('service levels that were made through NerdGraph', () => {
  let now: number;
  let store: EventStore;
  let managed: ManagedObjects;
  const level = (changes: object = {}) => ({
    accountId: 1,
    guid: 'good',
    id: '1',
    applicationGuid: 'app',
    name: 'Availability',
    description: null,
    events: {
      accountId: 1,
      validEvents: { from: 'Transaction', where: "appName = 'ledger'" },
      goodEvents: {
        from: 'Transaction',
        where: "appName = 'ledger' AND error IS FALSE",
      },
    },
    objectives: [],
    createdAt: T0,
    ...changes,
  });
  const request = (minute: number, error: boolean, weight = 1) =>
    store.append(1, [
      {
        eventType: 'Transaction',
        timestamp: T0 + minute * MINUTE + 1000,
        attributes: { appName: 'ledger', error },
        weight,
      },
    ]);
  const rows = async () =>
    (
      await runNrql(
        store,
        [1],
        `SELECT timestamp, newrelic.sli.valid, newrelic.sli.good, newrelic.sli.bad, entity.guid FROM Metric SINCE ${
          T0 - 60 * MINUTE
        } UNTIL ${T0 + 60 * MINUTE}`,
        now,
      )
    ).results
      .map(row => [
        (Number(row.timestamp) - T0) / MINUTE,
        row['newrelic.sli.valid'],
        row['newrelic.sli.good'] ?? row['newrelic.sli.bad'],
      ])
      .sort((a, b) => Number(a[0]) - Number(b[0]));

  beforeEach(() => {
    now = T0;
    store = new EventStore({ accounts: [ACCOUNT], now: () => now });
    managed = new ManagedObjects();
    managed.state.serviceLevels.push(level());
  });

  it('are counted from their creation on, each whole minute once, by weight', async () => {
    request(-1, false);
    request(0, false, 10);
    request(0, true, 2);
    request(2, false);
    request(4, false);
    const meter = new ServiceLevelMeter(store, managed, () => now);
    now = T0 + 4.5 * MINUTE;
    await meter.measure();
    await meter.measure();
    expect(await rows()).toEqual([
      [0, 12, 10],
      [2, 1, 1],
    ]);
    now = T0 + 6.5 * MINUTE;
    await meter.measure();
    // After a restart nothing is counted twice.
    await new ServiceLevelMeter(store, managed, () => now).measure();
    expect(await rows()).toEqual([
      [0, 12, 10],
      [2, 1, 1],
      [4, 1, 1],
    ]);
  });

  it('count bad events where these are defined', async () => {
    managed.state.serviceLevels = [
      level({
        events: {
          accountId: 1,
          validEvents: { from: 'Transaction' },
          badEvents: { from: 'Transaction', where: 'error IS TRUE' },
        },
      }),
    ] as never;
    request(0, true, 3);
    request(0, false, 4);
    now = T0 + 3 * MINUTE;
    await new ServiceLevelMeter(store, managed, () => now).measure();
    expect(await rows()).toEqual([[0, 7, 3]]);
  });
});
