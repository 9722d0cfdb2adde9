import { latencyBucketIndex } from '@rocket/plugin-critical-paths-common';
import type {
  TelemetryBucket,
  TelemetryRequest,
  TelemetryResponse,
  TelemetrySource,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';

/** What an application did in one minute. */
export interface MinuteTraffic {
  valid: number;
  good: number;
  /** Every request took this long. */
  durationMs: number;
}

/** A telemetry source for tests: traffic is a function of target and minute. */
export class FakeSource implements TelemetrySource {
  readonly id: string;
  readonly title = 'Fake';
  readonly requests: TelemetryRequest[] = [];
  traffic: (
    target: TelemetryTarget,
    minute: number,
  ) => MinuteTraffic | undefined;
  /** Message for targets that cannot be answered. */
  failing: (target: TelemetryTarget) => string | undefined = () => undefined;
  /** Runs before each answer; may throw or hang. */
  before: (request: TelemetryRequest) => Promise<void> | void = () => {};

  constructor(
    traffic: FakeSource['traffic'] = () => ({
      valid: 10,
      good: 10,
      durationMs: 50,
    }),
    id = 'newrelic',
  ) {
    this.traffic = traffic;
    this.id = id;
  }

  async fetch(request: TelemetryRequest): Promise<TelemetryResponse> {
    this.requests.push(request);
    await this.before(request);
    const response: TelemetryResponse = {
      results: [],
      failures: [],
      requests: 1,
      queries: [
        {
          keys: request.targets.map(t => t.key),
          query: `SELECT count(*) FROM ${request.targets.length} applications`,
        },
      ],
    };
    for (const target of request.targets) {
      const message = this.failing(target);
      if (message) {
        response.failures.push({ keys: [target.key], message });
      } else {
        response.results.push({
          key: target.key,
          buckets: this.#buckets(target, request),
        });
      }
    }
    return response;
  }

  async applicationUrl(target: { appName: string }): Promise<string> {
    return `https://apm.example.com/${target.appName}`;
  }

  #buckets(target: TelemetryTarget, request: TelemetryRequest) {
    const buckets = new Map<number, TelemetryBucket>();
    for (
      let minute = request.from.getTime() / 60_000;
      minute < request.to.getTime() / 60_000;
      minute++
    ) {
      const traffic = this.traffic(target, minute);
      if (traffic && traffic.valid > 0) {
        const start =
          Math.floor((minute * 60) / request.stepSeconds) * request.stepSeconds;
        const bucket = buckets.get(start) ?? {
          start,
          valid: 0,
          good: 0,
          histogram: {},
          withinThreshold: Object.fromEntries(
            target.thresholdsMs.map(t => [t, 0]),
          ),
        };
        bucket.valid += traffic.valid;
        bucket.good += traffic.good;
        const index = latencyBucketIndex(traffic.durationMs);
        bucket.histogram[index] =
          (bucket.histogram[index] ?? 0) + traffic.valid;
        for (const threshold of target.thresholdsMs) {
          if (traffic.durationMs <= threshold) {
            bucket.withinThreshold[threshold] += traffic.valid;
          }
        }
        buckets.set(start, bucket);
      }
    }
    return [...buckets.values()];
  }
}
