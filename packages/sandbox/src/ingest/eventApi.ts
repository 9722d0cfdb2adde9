import type { AttributeValue, StoredEvent } from '../store/EventStore';

const DAY = 86_400_000;
const MAX_ATTRIBUTES = 255;
const MAX_NAME = 255;
const MAX_VALUE_BYTES = 4096;
/** Types that New Relic itself writes. */
const RESERVED = new Set(['Metric', 'MetricRaw', 'NrIntegrationError']);

/** Accepted events, and why the others were not. */
export interface Parsed {
  events: StoredEvent[];
  problems: string[];
}

/**
 * Reads the body of an Event API request: an object or an array of flat
 * objects with `eventType`. A bad event never spoils the good ones beside it.
 */
export function parseEventApi(payload: unknown, now: number): Parsed {
  const list = Array.isArray(payload) ? payload : [payload];
  const events: StoredEvent[] = [];
  const problems: string[] = [];
  list.forEach((item, index) => {
    try {
      events.push(parseEvent(item, now));
    } catch (error) {
      problems.push(`Event ${index}: ${(error as Error).message}`);
    }
  });
  return { events, problems };
}

function parseEvent(item: unknown, now: number): StoredEvent {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new Error('must be an object');
  }
  const { eventType, timestamp, ...rest } = item as Record<string, unknown>;
  if (typeof eventType !== 'string' || !/^[\w: ]{1,255}$/.test(eventType)) {
    throw new Error(
      'eventType must be text of letters, digits, underscores and colons, at most 255',
    );
  }
  if (RESERVED.has(eventType)) {
    throw new Error(`eventType ${eventType} is reserved`);
  }
  const at = timestamp === undefined ? now : toMilliseconds(timestamp);
  if (at === undefined) {
    throw new Error('timestamp must be epoch seconds or milliseconds');
  }
  if (Math.abs(now - at) > DAY) {
    throw new Error('timestamp must be within 24 hours of now');
  }
  // New Relic drops accountId: the key says which account it is.
  delete rest.accountId;
  if (rest.appId !== undefined && !Number.isInteger(rest.appId)) {
    throw new Error('appId must be an integer');
  }
  return { eventType, timestamp: at, attributes: parseAttributes(rest) };
}

/**
 * Checks attributes: at most `max` of them, names of at most 255 characters,
 * values of at most 4096 bytes. Null leaves an attribute out. Throws an
 * `Error` that names the attribute.
 */
export function parseAttributes(
  attributes: Record<string, unknown>,
  { max = MAX_ATTRIBUTES, booleans = false } = {},
): Record<string, AttributeValue> {
  const entries = Object.entries(attributes).filter(
    ([, value]) => value !== null,
  );
  if (entries.length > max) {
    throw new Error(`${entries.length} attributes are more than ${max}`);
  }
  const result: Record<string, AttributeValue> = {};
  for (const [key, value] of entries) {
    const shown = JSON.stringify(key.slice(0, 60));
    if (key.length === 0 || key.length > MAX_NAME) {
      throw new Error(
        `the name ${shown} must have 1 to ${MAX_NAME} characters`,
      );
    }
    if (
      typeof value !== 'string' &&
      typeof value !== 'number' &&
      !(booleans && typeof value === 'boolean')
    ) {
      throw new Error(
        `attribute ${shown} must be text or a number${
          booleans ? ' or a boolean' : ''
        }`,
      );
    }
    if (
      typeof value === 'string' &&
      Buffer.byteLength(value) > MAX_VALUE_BYTES
    ) {
      throw new Error(
        `attribute ${shown} has more than ${MAX_VALUE_BYTES} bytes`,
      );
    }
    result[key] = value as AttributeValue;
  }
  return result;
}

/** Epoch milliseconds from seconds or milliseconds; undefined for anything else. */
export function toMilliseconds(value: unknown): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    return undefined;
  }
  // 10^11 s is the year 5138, 10^11 ms is 1973.
  return Math.round(value < 1e11 ? value * 1000 : value);
}
