import type { StoredEvent } from '../store/EventStore';
import { parseAttributes, toMilliseconds, type Parsed } from './eventApi';

const DAY = 86_400_000;
const MAX_ATTRIBUTES = 150;

/**
 * Reads the body of a Metric API request. Each data point becomes a `Metric`
 * event with `metricName`, `type`, its value and its attributes. A gauge or a
 * count also has its value under the metric's own name, as NRQL reads it; a
 * summary has `<name>.count`, `.sum`, `.min` and `.max`.
 * Throws an `Error` when the body is no list of `{common, metrics}`.
 */
export function parseMetricApi(payload: unknown, now: number): Parsed {
  if (!Array.isArray(payload)) {
    throw new Error('The body must be an array of {common, metrics}');
  }
  const events: StoredEvent[] = [];
  const problems: string[] = [];
  payload.forEach((batch, batchIndex) => {
    const { common = {}, metrics } = isRecord(batch) ? batch : {};
    if (!Array.isArray(metrics) || !isRecord(common)) {
      throw new Error(
        `Element ${batchIndex} must be an object with an array "metrics" and, if at all, an object "common"`,
      );
    }
    metrics.forEach((metric, index) => {
      try {
        events.push(parseMetric(metric, common, now));
      } catch (error) {
        problems.push(
          `Metric ${index} of element ${batchIndex}: ${
            (error as Error).message
          }`,
        );
      }
    });
  });
  return { events, problems };
}

function parseMetric(
  item: unknown,
  common: Record<string, unknown>,
  now: number,
): StoredEvent {
  if (!isRecord(item)) {
    throw new Error('must be an object');
  }
  const { name, type = 'gauge', value } = item;
  if (typeof name !== 'string' || name.length === 0 || name.length > 255) {
    throw new Error('name must be text of 1 to 255 characters');
  }
  const rawTime = item.timestamp ?? common.timestamp;
  const timestamp = rawTime === undefined ? now : toMilliseconds(rawTime);
  if (timestamp === undefined) {
    throw new Error('timestamp must be epoch seconds or milliseconds');
  }
  if (timestamp < now - 2 * DAY || timestamp > now + DAY) {
    throw new Error(
      'timestamp must be at most 48 hours old and 24 hours ahead',
    );
  }
  const own = item.attributes ?? {};
  const shared = common.attributes ?? {};
  if (!isRecord(own) || !isRecord(shared)) {
    throw new Error('attributes must be an object');
  }
  const attributes = parseAttributes(
    { ...shared, ...own },
    { max: MAX_ATTRIBUTES, booleans: true },
  );
  const interval = item['interval.ms'] ?? common['interval.ms'];
  if (type === 'count' || type === 'summary') {
    if (typeof interval !== 'number' || interval <= 0) {
      throw new Error(`a ${type} needs a positive interval.ms`);
    }
    attributes['interval.ms'] = interval;
  } else if (type !== 'gauge') {
    throw new Error('type must be gauge, count or summary');
  }
  attributes.metricName = name;
  attributes.type = type;
  if (type === 'summary') {
    for (const part of ['count', 'sum', 'min', 'max'] as const) {
      const figure = isRecord(value) ? value[part] : undefined;
      if (typeof figure !== 'number' || !Number.isFinite(figure)) {
        throw new Error(`value.${part} of a summary must be a number`);
      }
      attributes[part] = figure;
      attributes[`${name}.${part}`] = figure;
    }
  } else {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new Error(`value of a ${type} must be a number`);
    }
    attributes.value = value;
    attributes[name] = value;
  }
  return { eventType: 'Metric', timestamp, attributes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
