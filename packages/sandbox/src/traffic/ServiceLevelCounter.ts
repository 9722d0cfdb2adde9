import type { RowWriter } from '../store/EventStore';
import type { ServiceLevel } from '../store/serviceLevels';
import type { TrafficRequest } from './TrafficModel';

const MINUTE = 60_000;

export const SERVICE_LEVEL_ATTRIBUTES = [
  'metricName',
  'newrelic.sli.valid',
  'newrelic.sli.good',
  'entity.guid',
  'entity.name',
] as const;

/** Counts valid and good requests of each minute, as New Relic does for its service levels. */
export class ServiceLevelCounter {
  readonly #writer: RowWriter;
  readonly #levels: readonly ServiceLevel[];

  constructor(writer: RowWriter, levels: readonly ServiceLevel[]) {
    this.#writer = writer;
    this.#levels = levels;
  }

  /** Writes the counts of a whole minute. A minute without requests leaves no row. */
  count(minute: number, requests: readonly TrafficRequest[]): void {
    for (const level of this.#levels) {
      let valid = 0;
      let good = 0;
      for (const { stream, duration, error } of requests) {
        if (
          stream.application === level.appName &&
          (level.path === undefined || stream.path === level.path)
        ) {
          valid += stream.weight;
          const isGood =
            level.indicator.sli === 'latency'
              ? duration * 1000 <= level.indicator.thresholdMs
              : !error;
          good += isGood ? stream.weight : 0;
        }
      }
      if (valid > 0) {
        this.#writer.row(minute * MINUTE, [
          'newrelic.sli',
          valid,
          good,
          level.guid,
          level.name,
        ]);
      }
    }
  }
}
