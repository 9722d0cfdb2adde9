import { HttpError } from '../http';
import { toMilliseconds } from '../ingest/eventApi';
import type { AttributeValue, StoredEvent } from '../store/EventStore';

/** What is known of a connected agent. */
export interface AgentRun {
  accountId: number;
  appName: string;
  guid: string;
  applicationId: number;
  host: string;
  language: string;
  /** Labels of the agent; they become `tags.<key>`. */
  labels: Record<string, string>;
}

/** What an agent says of itself in `connect`. Throws `HttpError` 400 when it has no name. */
export function parseConnect(
  payload: unknown,
): Omit<AgentRun, 'accountId' | 'guid' | 'applicationId'> {
  const facts = Array.isArray(payload) ? asRecord(payload[0]) : undefined;
  const names = Array.isArray(facts?.app_name)
    ? facts.app_name.filter(isName)
    : [facts?.app_name].filter(isName);
  if (!facts || names.length === 0) {
    throw new HttpError(400, 'connect: app_name is missing');
  }
  const labels: Record<string, string> = {};
  for (const label of Array.isArray(facts.labels) ? facts.labels : []) {
    const { label_type: key, label_value: value } = asRecord(label) ?? {};
    if (isName(key) && typeof value === 'string') {
      labels[key] = value.slice(0, 255);
    }
  }
  const host = facts.display_host ?? facts.host;
  return {
    // The first name is the entity; the others are roll-ups, which we do not have.
    appName: names[0],
    host: typeof host === 'string' ? host : 'unknown',
    language: typeof facts.language === 'string' ? facts.language : 'unknown',
    labels,
  };
}

/**
 * The events of `analytic_event_data`, `error_event_data`,
 * `custom_event_data` and `span_event_data`: `[runId, {events_seen}, [[intrinsics, user, agent]…]]`.
 * An agent keeps a sample when there is much to tell; the weight says how many
 * happenings each event of the sample stands for. Events that make no sense
 * are left out. Throws `HttpError` 400 when the payload is no such list.
 */
export function parseEvents(
  payload: unknown,
  run: AgentRun,
  now: number,
): StoredEvent[] {
  const parts: unknown[] = Array.isArray(payload) ? payload : [];
  // The Node agent leaves out the figures with custom events.
  const list = Array.isArray(parts[1]) ? parts[1] : parts[2];
  if (!Array.isArray(list)) {
    throw new HttpError(
      400,
      'The payload must be [runId, {events_seen}, [events]]',
    );
  }
  const seen = asRecord(parts[1])?.events_seen;
  const weight =
    typeof seen === 'number' && seen > list.length && list.length > 0
      ? seen / list.length
      : 1;
  const events: StoredEvent[] = [];
  for (const item of list) {
    const event = parseEvent(item, run, now);
    if (event) {
      events.push({ ...event, weight });
    }
  }
  return events;
}

function parseEvent(
  item: unknown,
  run: AgentRun,
  now: number,
): StoredEvent | undefined {
  const [intrinsics, user, agent] = Array.isArray(item)
    ? item.map(asRecord)
    : [];
  const eventType = intrinsics?.type;
  if (typeof eventType !== 'string' || !/^[\w: ]{1,255}$/.test(eventType)) {
    return undefined;
  }
  const attributes: Record<string, AttributeValue> = {};
  // What the agent measured cannot be replaced by a custom attribute of the same name.
  for (const group of [user, agent, intrinsics]) {
    for (const [key, value] of Object.entries(group ?? {})) {
      if (isValue(value) && key.length <= 255) {
        attributes[key] = value;
      }
    }
  }
  delete attributes.type;
  delete attributes.timestamp;
  attributes.appName = run.appName;
  attributes.appId = run.applicationId;
  attributes.host ??= run.host;
  attributes.entityGuid = run.guid;
  attributes['entity.guid'] = run.guid;
  attributes['entity.name'] = run.appName;
  for (const [key, value] of Object.entries(run.labels)) {
    attributes[`tags.${key}`] = value;
  }
  if (eventType === 'Transaction') {
    // Ids of a trace that was not kept lead nowhere, and each of them would
    // take more memory than the rest of the event.
    if (attributes.sampled !== true) {
      delete attributes.guid;
      delete attributes.traceId;
    }
    attributes.transactionType = String(attributes.name ?? '').startsWith(
      'WebTransaction/',
    )
      ? 'Web'
      : 'Other';
  }
  return {
    eventType,
    timestamp: toMilliseconds(intrinsics?.timestamp) ?? now,
    attributes,
  };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 255;
}

function isValue(value: unknown): value is AttributeValue {
  return (
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value))
  );
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
