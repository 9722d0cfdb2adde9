import type { LoggerService } from '@backstage/backend-plugin-api';
import type { ResolvedPath } from '@rocket/plugin-critical-paths-common';
import type { TelemetryTarget } from '@rocket/plugin-critical-paths-node';
import { seriesKey } from '../store/seriesKey';
import type {
  Series,
  SeriesDescriptor,
  SignalStore,
} from '../store/SignalStore';

/** What a source is asked for, and where the answer goes. */
export interface Wanted {
  series: Series;
  target: TelemetryTarget;
}

/**
 * The series of all applications at all steps of the paths; new ones are registered.
 *
 * @param now - milliseconds since the epoch
 */
export async function registerWanted(
  store: SignalStore,
  paths: ReadonlyMap<string, ResolvedPath>,
  now: number,
): Promise<Wanted[]> {
  const found = new Map<
    string,
    { descriptor: SeriesDescriptor; thresholdsMs: number[] }
  >();
  for (const { path, steps } of paths.values()) {
    const thresholdsMs = [
      ...new Set(path.objectives.flatMap(o => o.thresholdMs ?? [])),
    ].sort((a, b) => a - b);
    for (const step of steps) {
      for (const member of step.members) {
        // Nothing can be said about a component that the catalog does not have.
        if (member.known) {
          const descriptor = {
            pathRef: path.entityRef,
            componentRef: member.entityRef,
            step: step.name,
            selection: member.selection,
          };
          found.set(seriesKey(descriptor), { descriptor, thresholdsMs });
        }
      }
    }
  }
  const list = [...found.values()];
  const series = await store.registerSeries(
    list.map(item => item.descriptor),
    Math.floor(now / 1000),
  );
  return series.map((one, index) => ({
    series: one,
    target: {
      key: String(one.id),
      account: one.selection.account,
      appName: one.selection.appName,
      criticalPath: one.selection.criticalPath,
      operation: one.selection.operation,
      thresholdsMs: list[index].thresholdsMs,
    },
  }));
}

/**
 * A clock that was ahead and was put right has "answered" minutes that had not
 * happened; they are asked for again.
 *
 * @param until - exclusive, in minutes since the epoch
 */
export async function forgetFuture(
  wanted: Wanted[],
  until: number,
  { store, logger }: { store: SignalStore; logger: LoggerService },
): Promise<void> {
  const ahead = wanted.filter(
    ({ series }) => (series.watermarkAt ?? 0) > until + 1,
  );
  if (ahead.length > 0) {
    logger.warn(
      `The clock went back: ${ahead.length} feeds were read up to a time that is still to come; they are read again`,
    );
    await store.truncateCoverage(
      ahead.map(item => item.series.id),
      until,
    );
    for (const { series } of ahead) {
      series.covered = series.covered
        .map<[number, number]>(r => [r[0], Math.min(r[1], until)])
        .filter(r => r[1] > r[0]);
      series.watermarkAt = series.covered[series.covered.length - 1]?.[1];
    }
  }
}
