import type {
  TelemetryResponse,
  TelemetrySource,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';
import { cellsOfBuckets } from '../store/cells';
import type { WindowEntry } from '../store/SignalStore';
import type { Slice } from './plan';

/** Longest time that one question to a source may take before the cycle goes on without it. */
const FETCH_TIMEOUT_MS = 120_000;

/** What became of one question; every id of the slice is in `answered` or in a failure. */
export interface Answer {
  answered: WindowEntry[];
  failures: { seriesIds: number[]; message: string }[];
  requests: number;
  queries: TelemetryResponse['queries'];
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Asks a source about a slice. A source that throws or does not answer in time
 * is a failure of the whole slice; what it says about other series or times
 * than it was asked for is dropped.
 *
 * @throws when `signal` is aborted, and only then
 */
export async function askSource(
  source: TelemetrySource,
  targets: TelemetryTarget[],
  slice: Slice,
  signal: AbortSignal,
): Promise<Answer> {
  let response: TelemetryResponse;
  try {
    response = await withTimeout(
      inner =>
        source.fetch({
          targets,
          from: new Date(slice.from * 60_000),
          to: new Date(slice.to * 60_000),
          stepSeconds: slice.level === 'minute' ? 60 : 3600,
          signal: inner,
        }),
      FETCH_TIMEOUT_MS,
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    return {
      answered: [],
      failures: [{ seriesIds: slice.seriesIds, message: messageOf(error) }],
      requests: 1,
      queries: [],
    };
  }
  const asked = new Set(slice.seriesIds);
  const failed = new Set<number>();
  const failures: Answer['failures'] = [];
  for (const { keys, message } of response.failures) {
    const seriesIds = keys.map(Number).filter(id => asked.has(id));
    if (seriesIds.length > 0) {
      failures.push({ seriesIds, message });
      seriesIds.forEach(id => failed.add(id));
    }
  }
  const step = slice.level === 'minute' ? 1 : 60;
  const results = new Map(
    response.results.map(result => [Number(result.key), result]),
  );
  return {
    answered: slice.seriesIds
      .filter(id => !failed.has(id))
      .map(seriesId => ({
        seriesId,
        latencyError: results.get(seriesId)?.latencyError,
        cells: cellsOfBuckets(
          results.get(seriesId)?.buckets ?? [],
          step,
        ).filter(cell => cell.at >= slice.from && cell.at < slice.to),
      })),
    failures,
    requests: response.requests,
    queries: response.queries,
  };
}

/** Runs `work`, but no longer than `ms` and not beyond `signal`. */
export async function withTimeout<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  signal: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  let onAbort: () => void = () => {};
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work(controller.signal),
      new Promise<never>((_, reject) => {
        onAbort = () => reject(new Error('the collection was stopped'));
        timer = setTimeout(
          () => reject(new Error(`no answer within ${ms / 1000} s`)),
          ms,
        );
        if (signal.aborted) {
          onAbort();
        }
        signal.addEventListener('abort', onAbort, { once: true });
      }),
    ]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    controller.abort();
  }
}
