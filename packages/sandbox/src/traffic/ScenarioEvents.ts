import { isoWeek, type DayNumber, type ZonedCalendar } from './calendar';
import { hashInts, hashString } from './random';
import type { ScenarioWhen, TrafficScenario } from './scenario';

const MINUTE = 60_000;
const DAY_MINUTES = 1440;
/** A deployment disturbs its application for this long. */
const DEPLOYMENT_MINUTES = 4;
const DEPLOYMENT_LATENCY_FACTOR = 1.35;
const DEPLOYMENT_ERROR_RATE = 0.004;

/** Something that happened to an application: an event of its own type. */
export interface TrafficMarker {
  eventType: 'Deployment' | 'ChangeTrackingEvent' | 'NrAiIncident';
  application: string;
  /** Epoch milliseconds. */
  timestamp: number;
  attributes: Record<string, string | number | boolean>;
}

/** How an event changes its application for some minutes. */
export interface Effect {
  application: string;
  fromMinute: number;
  toMinute: number;
  latencyFactor: number;
  errorRate: number;
}

/** What happens in a scenario, on the calendar: deployments, slow dependencies, incidents. */
export class ScenarioEvents {
  readonly #scenario: TrafficScenario;
  readonly #calendar: ZonedCalendar;
  readonly #anchorDay: DayNumber;
  readonly #seed: number;
  readonly #effects = new Map<number, Effect[]>();

  constructor(
    scenario: TrafficScenario,
    calendar: ZonedCalendar,
    anchorDay: DayNumber,
  ) {
    this.#scenario = scenario;
    this.#calendar = calendar;
    this.#anchorDay = anchorDay;
    this.#seed = hashString(scenario.seed);
  }

  /** Deployments and incidents with a time in [fromMs, toMs), in order of time. */
  markersBetween(fromMs: number, toMs: number): TrafficMarker[] {
    const { deployments, incidents } = this.#scenario.events;
    const markers: TrafficMarker[] = [];
    for (const deployment of deployments) {
      for (const at of this.#occurrences(deployment.when, fromMs, toMs)) {
        markers.push(this.#deployment(deployment, at));
      }
    }
    for (const incident of incidents) {
      const lengthMs = incident.durationMinutes * MINUTE;
      const delayMs =
        Math.min(incident.detectedAfterMinutes, incident.durationMinutes) *
        MINUTE;
      // An incident closes once its condition has been false as long as it took to open.
      for (const startedAt of this.#occurrences(
        incident.when,
        fromMs - lengthMs - delayMs,
        toMs,
      )) {
        const openTime = startedAt + delayMs;
        const recoveryTime = startedAt + lengthMs;
        const closeTime = recoveryTime + delayMs;
        const common = {
          incidentId: uuid(
            hashInts(this.#seed, hashString(incident.application)),
            startedAt / MINUTE,
          ),
          openTime,
          degradationTime: startedAt,
          conditionName: incident.condition,
          policyName: incident.policy,
          priority: incident.priority,
          title: `${incident.application}: ${incident.condition}`,
          muted: false,
        };
        if (openTime >= fromMs && openTime < toMs) {
          markers.push({
            eventType: 'NrAiIncident',
            application: incident.application,
            timestamp: openTime,
            attributes: { ...common, event: 'open' },
          });
        }
        if (closeTime >= fromMs && closeTime < toMs) {
          markers.push({
            eventType: 'NrAiIncident',
            application: incident.application,
            timestamp: closeTime,
            attributes: {
              ...common,
              event: 'close',
              closeTime,
              // Nobody saw it recover when it was closed for another reason.
              ...(incident.closeCause === 'EVALUATOR' ? { recoveryTime } : {}),
              durationSeconds: (closeTime - openTime) / 1000,
              closeCause: incident.closeCause,
            },
          });
        }
      }
    }
    return markers.sort((a, b) => a.timestamp - b.timestamp);
  }

  #deployment(
    deployment: TrafficScenario['events']['deployments'][number],
    at: number,
  ): TrafficMarker {
    const { application, tracking, user, versionSuffix = '' } = deployment;
    const { year, week } = isoWeek(this.#calendar.dayOf(at));
    const hash = hashInts(this.#seed, hashString(application), at / MINUTE);
    const weekday = new Date(this.#calendar.toLocal(at)).getUTCDay();
    const version = `${year}.${week}.${weekday}${versionSuffix}`;
    const details = {
      version,
      commit: Array.from({ length: 5 }, (_, i) =>
        hashInts(hash, i).toString(16).padStart(8, '0'),
      ).join(''),
      user,
      description:
        deployment.description ?? `Release ${version} of ${application}`,
    };
    const id = uuid(hash, at / MINUTE);
    return {
      eventType: tracking === 'event' ? 'ChangeTrackingEvent' : 'Deployment',
      application,
      timestamp: at,
      attributes:
        tracking === 'event'
          ? {
              ...details,
              changeTrackingId: id,
              category: 'Deployment',
              type: 'Rolling',
              categoryAndType: 'Deployment - Rolling',
            }
          : { ...details, deploymentType: 'ROLLING', deploymentId: id },
    };
  }

  #occurrences(when: ScenarioWhen, fromMs: number, toMs: number) {
    return this.#calendar.occurrences(when, this.#anchorDay, fromMs, toMs);
  }

  /** What is going on in a minute. */
  effectsAt(minute: number): Effect[] {
    const day = Math.floor(minute / DAY_MINUTES);
    let ofDay = this.#effects.get(day);
    if (!ofDay) {
      ofDay = this.#effectsOfDay(day);
      if (this.#effects.size > 200) {
        this.#effects.clear();
      }
      this.#effects.set(day, ofDay);
    }
    return ofDay.filter(e => e.fromMinute <= minute && minute < e.toMinute);
  }

  #effectsOfDay(day: number): Effect[] {
    const { deployments, slowdowns, incidents } = this.#scenario.events;
    const all = [
      ...deployments.map(event => ({
        ...event,
        durationMinutes: DEPLOYMENT_MINUTES,
        latencyFactor: DEPLOYMENT_LATENCY_FACTOR,
        errorRate: DEPLOYMENT_ERROR_RATE,
      })),
      ...slowdowns.map(event => ({ ...event, errorRate: 0 })),
      ...incidents,
    ];
    return all.flatMap(event =>
      this.#occurrences(
        event.when,
        (day * DAY_MINUTES - event.durationMinutes) * MINUTE,
        (day + 1) * DAY_MINUTES * MINUTE,
      ).map(at => ({
        application: event.application,
        fromMinute: at / MINUTE,
        toMinute: at / MINUTE + event.durationMinutes,
        latencyFactor: event.latencyFactor,
        errorRate: event.errorRate,
      })),
    );
  }
}

/** A repeatable identifier in the form of a version 8 UUID. */
function uuid(a: number, b: number): string {
  const hex = [1, 2, 3, 4]
    .map(i => hashInts(a, b, i).toString(16).padStart(8, '0'))
    .join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(
    13,
    16,
  )}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
