import { runNrql } from '../nrql/runNrql';
import type { EventStore } from './EventStore';
import type { EventsQuery, ManagedObjects } from './ManagedObjects';

const MINUTE = 60_000;
/** Events of a minute are there by then. */
const DELAY_MS = MINUTE;

/**
 * Counts valid and good (or bad) events of the service levels that were made
 * through NerdGraph, minute by minute from their creation on, as New Relic
 * does. A minute without events leaves no row. `COUNT` only: a service level
 * with another select is kept and not measured.
 */
export class ServiceLevelMeter {
  /** Minutes (epoch) that are counted, by GUID. */
  private readonly counted = new Map<string, number>();

  constructor(
    private readonly store: EventStore,
    private readonly managed: ManagedObjects,
    private readonly now: () => number = Date.now,
  ) {}

  /** Counts the minutes that ended since the last call; after a restart those of the last ten minutes that lack a row. */
  async measure(): Promise<void> {
    const last = Math.floor((this.now() - DELAY_MS) / MINUTE) - 1;
    for (const level of this.managed.state.serviceLevels) {
      const { guid, name, events, accountId, createdAt } = level;
      const known = this.counted.get(guid);
      const from = Math.max(
        known === undefined ? last - 9 : known + 1,
        Math.ceil(createdAt / MINUTE),
      );
      const measurable = [
        events.validEvents,
        events.goodEvents,
        events.badEvents,
      ].every(query => !query?.select || query.select.function === 'COUNT');
      for (let minute = from; measurable && minute <= last; minute += 1) {
        if (known !== undefined || !(await this.isThere(level, minute))) {
          const at = { accountId, minute };
          const valid = await this.count(at, events.validEvents);
          if (valid > 0) {
            const [kind, query] = events.badEvents
              ? (['bad', events.badEvents] as const)
              : (['good', events.goodEvents!] as const);
            const n = await this.count(at, query);
            this.store.append(accountId, [
              {
                eventType: 'Metric',
                timestamp: minute * MINUTE,
                attributes: {
                  metricName: 'newrelic.sli',
                  'newrelic.sli.valid': valid,
                  [`newrelic.sli.${kind}`]: n,
                  'entity.guid': guid,
                  'entity.name': name,
                },
              },
            ]);
          }
        }
      }
      this.counted.set(guid, Math.max(last, known ?? 0));
    }
  }

  private async isThere(
    { guid, accountId }: { guid: string; accountId: number },
    minute: number,
  ): Promise<boolean> {
    const rows = await this.ask(
      { accountId, minute },
      `SELECT count(*) AS 'n' FROM Metric WHERE entity.guid = '${guid}'`,
    );
    return rows > 0;
  }

  private count(
    at: { accountId: number; minute: number },
    { from, where }: EventsQuery,
  ): Promise<number> {
    return this.ask(
      at,
      `SELECT count(*) AS 'n' FROM ${from}${
        where ? ` WHERE ${where}` : ''
      } EXTRAPOLATE`,
    );
  }

  private async ask(
    { accountId, minute }: { accountId: number; minute: number },
    nrql: string,
  ): Promise<number> {
    const { results } = await runNrql(
      this.store,
      [accountId],
      `${nrql} SINCE ${minute * MINUTE} UNTIL ${(minute + 1) * MINUTE}`,
      this.now(),
    );
    const n = results[0]?.n;
    return typeof n === 'number' ? n : 0;
  }
}
