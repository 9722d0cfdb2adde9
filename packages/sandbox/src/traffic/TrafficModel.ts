import {
  ScenarioEvents,
  type Effect,
  type TrafficMarker,
} from './ScenarioEvents';
import { ZonedCalendar, isWeekend, type DayNumber } from './calendar';
import { Random, hashInts, hashString } from './random';
import type { TrafficScenario } from './scenario';

// Taken once: looking up the global for each number is slow inside Jest's sandbox.
const { floor, round, exp, min, max } = Math;

const MINUTE = 60_000;
const DAY_MINUTES = 1440;
/** z value of the 99th percentile of the standard normal distribution. */
const Z99 = 2.3263478740408408;
const GOLDEN = 0.6180339887498949;
/** The requests that one application serves as one step of one path. */
export interface TrafficStream {
  readonly path: string;
  readonly step: string;
  readonly application: string;
  readonly transaction: string;
  /** Requests that one stored event stands for. */
  readonly weight: number;
  /** Part of the path's requests that reach the step. */
  readonly share: number;
}

/** One stored request. */
export interface TrafficRequest {
  stream: TrafficStream;
  /** Epoch milliseconds. */
  timestamp: number;
  /** Seconds, downstream calls included. */
  duration: number;
  /** HTTP status as New Relic agents report it: a string. */
  status: string;
  /** True for a server error; a 4xx is none. */
  error: boolean;
}

interface Node extends TrafficStream {
  hash: number;
  medianMs: number;
  sigma: number;
  errorRate: number;
  clientErrorShare: number;
  clientErrors: string[];
  status: string;
  calls: { node: Node; probability: number; async: boolean }[];
}

interface Path {
  name: string;
  hash: number;
  requestsPerMinute: number;
  weekendFactor: number;
  shape: number[];
  nodes: Node[];
}

interface Outcome {
  ms: number;
  status: string;
  error: boolean;
}

/**
 * The demo organisation's requests as a pure function of scenario, anchor day
 * and minute: the same minute always holds the same requests, so that history
 * and live traffic agree and a restart changes no past.
 *
 * Minutes are whole minutes since the epoch.
 */
export class TrafficModel {
  readonly streams: readonly TrafficStream[];
  readonly #scenario: TrafficScenario;
  readonly #calendar: ZonedCalendar;
  readonly #seed: number;
  readonly #paths: Path[];
  readonly #events: ScenarioEvents;

  constructor(scenario: TrafficScenario, anchorDay: DayNumber) {
    this.#scenario = scenario;
    this.#calendar = new ZonedCalendar(scenario.timeZone);
    this.#seed = hashString(scenario.seed);
    this.#events = new ScenarioEvents(scenario, this.#calendar, anchorDay);
    this.#paths = Object.entries(scenario.paths).map(([name, path]) => ({
      name,
      hash: hashInts(this.#seed, hashString(name)),
      requestsPerMinute: path.requestsPerMinute,
      weekendFactor: path.weekendFactor,
      shape: scenario.shapes[path.shape],
      nodes: this.#nodes(name, path),
    }));
    this.streams = this.#paths.flatMap(path => path.nodes);
  }

  /** All stored requests of a minute, in order of time. */
  requestsOf(minute: number): TrafficRequest[] {
    const effects = this.#events.effectsAt(minute);
    const requests: TrafficRequest[] = [];
    for (const path of this.#paths) {
      const { load, factor } = this.#load(path, minute);
      for (const node of path.nodes) {
        // Rounding up as often as the fraction says keeps the sum right.
        const jitter = (minute * GOLDEN + node.hash / 2 ** 32) % 1;
        const count = floor((load * node.share) / node.weight + jitter);
        if (count === 0) {
          continue;
        }
        const random = new Random(hashInts(node.hash, minute));
        for (let i = 0; i < count; i++) {
          // Spread over the minute: few events stand for many even arrivals.
          const timestamp =
            minute * MINUTE + floor(((i + random.next()) / count) * MINUTE);
          const { ms, status, error } = sample(node, random, effects, factor);
          requests.push({
            stream: node,
            timestamp,
            duration: round(ms * 1000) / 1e6,
            status,
            error,
          });
        }
      }
    }
    return requests.sort((a, b) => a.timestamp - b.timestamp);
  }

  /** Expected requests per minute of a stream in a minute; what the stored events add up to on average. */
  expectedRate(stream: TrafficStream, minute: number): number {
    const path = this.#paths.find(p => p.name === stream.path);
    return path ? this.#load(path, minute).load * stream.share : 0;
  }

  /** Deployments and incidents with a time in [fromMs, toMs), in order of time. */
  markersBetween(fromMs: number, toMs: number): TrafficMarker[] {
    return this.#events.markersBetween(fromMs, toMs);
  }

  #load(path: Path, minute: number): { load: number; factor: number } {
    const local = this.#calendar.toLocal(minute * MINUTE) / MINUTE;
    const day = floor(local / DAY_MINUTES);
    const hour = (local - day * DAY_MINUTES) / 60;
    const index = floor(hour);
    const factor =
      path.shape[index] +
      (path.shape[(index + 1) % 24] - path.shape[index]) * (hour - index);
    const ofDay = 1 + 0.04 * bounded(new Random(hashInts(path.hash, 1, day)));
    const ofMinute =
      1 + 0.03 * bounded(new Random(hashInts(path.hash, 2, minute)));
    const weekend = isWeekend(day) ? path.weekendFactor : 1;
    return {
      load: path.requestsPerMinute * factor * weekend * ofDay * ofMinute,
      factor,
    };
  }

  #nodes(pathName: string, path: TrafficScenario['paths'][string]): Node[] {
    const nodes = new Map<string, Node>();
    path.steps.forEach((step, index) => {
      const node: Node = {
        path: pathName,
        step: step.step,
        application: step.application,
        transaction: step.transaction,
        weight: this.#scenario.applications[step.application].weight,
        share: step.share,
        hash: hashInts(
          this.#seed,
          hashString(pathName),
          hashString(step.step),
          hashString(step.application),
        ),
        medianMs: step.latency.medianMs,
        sigma: Math.log(step.latency.p99Ms / step.latency.medianMs) / Z99,
        errorRate: step.errorRate,
        clientErrorShare: step.clientErrorShare,
        clientErrors: step.clientErrors,
        status: step.status,
        calls: [],
      };
      if (index > 0) {
        const caller = nodes.get(step.calledBy ?? path.steps[0].step)!;
        caller.calls.push({
          node,
          probability: caller.share > 0 ? step.share / caller.share : 0,
          async: step.async,
        });
      }
      nodes.set(step.step, node);
    });
    return [...nodes.values()];
  }
}

/** One request: the step's own time and fate, and those of the steps that it waits for. */
function sample(
  node: Node,
  random: Random,
  effects: Effect[],
  loadFactor: number,
): Outcome {
  let latencyFactor = 0.92 + 0.1 * loadFactor;
  let errorRate = node.errorRate;
  for (const effect of effects) {
    if (effect.application === node.application) {
      latencyFactor *= effect.latencyFactor;
      errorRate = 1 - (1 - errorRate) * (1 - effect.errorRate);
    }
  }
  let ms = node.medianMs * latencyFactor * exp(node.sigma * random.normal());
  if (random.next() < errorRate) {
    return { ms, status: random.next() < 0.6 ? '500' : '503', error: true };
  }
  if (random.next() < node.clientErrorShare) {
    const index = floor(random.next() * node.clientErrors.length);
    return { ms: ms * 0.6, status: node.clientErrors[index], error: false };
  }
  for (const call of node.calls) {
    if (call.async || random.next() >= call.probability) {
      continue;
    }
    const outcome = sample(call.node, random, effects, loadFactor);
    ms += outcome.ms;
    if (outcome.error) {
      return { ms, status: '503', error: true };
    }
  }
  return { ms, status: node.status, error: false };
}

/** Normal, cut off at three standard deviations. */
function bounded(random: Random): number {
  return max(-3, min(3, random.normal()));
}
