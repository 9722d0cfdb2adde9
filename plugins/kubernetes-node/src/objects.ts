import { InputError } from '@backstage/errors';
import type { KubernetesObject, ObjectEvent } from './types';

const LABEL_KEY =
  /^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/;

/** Selectors are text; labels from elsewhere must not add to it. */
export function labelSelectorOf(
  selector?: string | Record<string, string>,
): string | undefined {
  if (selector === undefined || typeof selector === 'string') return selector;
  return Object.entries(selector)
    .map(([key, value]) => {
      if (!LABEL_KEY.test(key) || !LABEL_VALUE.test(value))
        throw new InputError(
          `'${key}=${value}' is no Kubernetes label: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit`,
        );
      return `${key}=${value}`;
    })
    .join(',');
}

/** What a manager may apply: without what the server keeps. */
export function withoutServerFields(
  { status: _, metadata, ...object }: KubernetesObject,
  uid?: string,
) {
  const {
    creationTimestamp: _created,
    deletionTimestamp: _deleted,
    generation: _generation,
    managedFields: _managed,
    resourceVersion: _version,
    uid: _uid,
    ...kept
  } = metadata;
  delete (kept as { selfLink?: string }).selfLink;
  return { ...object, metadata: uid ? { ...kept, uid } : kept };
}

/** A `v1` Event, of the old and of the new way to report. */
export function toEvent(event: KubernetesObject): ObjectEvent {
  const from = event as unknown as {
    metadata: { creationTimestamp?: string };
    type?: string;
    reason?: string;
    message?: string;
    count?: number;
    lastTimestamp?: string;
    eventTime?: string;
    series?: { count?: number; lastObservedTime?: string };
    involvedObject?: Partial<ObjectEvent['object']>;
  };
  const { kind = '', name = '', namespace, uid } = from.involvedObject ?? {};
  const lastAt =
    from.series?.lastObservedTime ??
    from.lastTimestamp ??
    from.eventTime ??
    from.metadata.creationTimestamp;
  return {
    type: from.type ?? 'Normal',
    reason: from.reason ?? '',
    message: from.message ?? '',
    count: from.series?.count ?? from.count ?? 1,
    ...(lastAt ? { lastAt } : {}),
    object: { kind, name, namespace, uid },
  };
}
