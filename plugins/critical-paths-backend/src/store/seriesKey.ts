import { createHash } from 'crypto';
import type { SeriesDescriptor } from './SignalStore';

/**
 * Identity of a series. The way in which its telemetry is selected is part of
 * it, so that counts of different selections never end up in one figure.
 */
export function seriesKey(descriptor: SeriesDescriptor): string {
  const { source, account, appName, criticalPath, operation } =
    descriptor.selection;
  return createHash('sha256')
    .update(
      JSON.stringify([
        descriptor.pathRef,
        descriptor.componentRef,
        descriptor.step,
        source,
        account ?? null,
        appName,
        criticalPath,
        operation ?? null,
      ]),
    )
    .digest('hex');
}
