import type { ResolvedPath } from '@rocket/plugin-critical-paths-common';
import type { TelemetryApplication } from '@rocket/plugin-critical-paths-node';
import type { ChangeFeedKey } from './ChangeStore';

/** An application at a source, and the components that it is in the catalog. */
export interface KnownApplication extends ChangeFeedKey {
  /** How a source is asked about it. */
  question: TelemetryApplication;
  entityRefs: string[];
}

/** The applications of all paths by source, each once. */
export function applicationsBySource(
  paths: ReadonlyMap<string, ResolvedPath>,
): Map<string, KnownApplication[]> {
  const bySource = new Map<string, Map<string, KnownApplication>>();
  for (const { steps } of paths.values()) {
    for (const { known, entityRef, selection } of steps.flatMap(
      step => step.members,
    )) {
      if (!known) {
        continue;
      }
      const { source, account, appName } = selection;
      const key = JSON.stringify([account ?? '', appName]);
      const applications = bySource.get(source) ?? new Map();
      bySource.set(source, applications);
      const application: KnownApplication = applications.get(key) ?? {
        source,
        account,
        appName,
        question: { key, account, appName },
        entityRefs: [],
      };
      applications.set(key, application);
      if (!application.entityRefs.includes(entityRef)) {
        application.entityRefs.push(entityRef);
      }
    }
  }
  return new Map(
    [...bySource].map(([source, applications]) => [
      source,
      [...applications.values()],
    ]),
  );
}
