import type { LoggerService } from '@backstage/backend-plugin-api';
import type { TelemetrySource } from '@rocket/plugin-critical-paths-node';
import type { Series, SignalStore } from '../store/SignalStore';
import { messageOf, withTimeout } from './askSource';

const PER_CYCLE = 20;
const RETRY_SECONDS = 3600;
const TIMEOUT_MS = 10_000;

/** Finds the page of each application at its source, a few in each cycle. */
export class SourceLinks {
  readonly #store: Pick<SignalStore, 'setSourceUrls'>;
  readonly #logger: LoggerService;
  readonly #asked = new Map<number, number>();

  constructor(options: {
    store: Pick<SignalStore, 'setSourceUrls'>;
    logger: LoggerService;
  }) {
    this.#store = options.store;
    this.#logger = options.logger;
  }

  /** A link is an extra: when one cannot be had, the rest waits for a later cycle. */
  async find(
    source: TelemetrySource,
    series: Series[],
    time: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (!source.applicationUrl) {
      return;
    }
    const due = series
      .filter(
        one =>
          !one.sourceUrl &&
          time - (this.#asked.get(one.id) ?? 0) > RETRY_SECONDS,
      )
      .slice(0, PER_CYCLE);
    const found: { seriesId: number; url: string }[] = [];
    for (const { id, componentRef, selection } of due) {
      this.#asked.set(id, time);
      try {
        const url = await withTimeout(
          async () =>
            source.applicationUrl?.({
              account: selection.account,
              appName: selection.appName,
            }),
          TIMEOUT_MS,
          signal,
        );
        if (url) {
          found.push({ seriesId: id, url });
        }
      } catch (error) {
        this.#logger.debug(`No link for ${componentRef}: ${messageOf(error)}`);
        break;
      }
    }
    if (found.length > 0) {
      await this.#store.setSourceUrls(found);
    }
  }
}
