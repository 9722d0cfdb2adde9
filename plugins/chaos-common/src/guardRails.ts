import type { Experiment } from './experiment';
import {
  freezeAt,
  outsideHours,
  type Freeze,
  type WorkingHours,
} from './rotation';

/** The guard rails; each refuses by itself, whatever the others say. */
export const GUARD_RAILS = [
  'staging-only',
  'blast-radius',
  'one-per-path',
  'working-hours',
  'freeze',
  'health',
  'open-incident',
  'recent-deployment',
  'telemetry',
] as const;
export type GuardRail = (typeof GUARD_RAILS)[number];

/** Why an experiment may not begin. */
export interface Refusal {
  rail: GuardRail;
  /** What is in the way, and the way out. */
  reason: string;
}

/** What is known when somebody presses start. */
export interface GuardContext {
  /** Milliseconds since the epoch. */
  now: number;
  /** The target's environment as the configuration has it; undefined when it names none of this name. */
  environment?: {
    name: string;
    tier: 'development' | 'staging' | 'production';
    /** Whether the configuration lists it among those that may be broken. */
    allowed: boolean;
    /** Whether the place itself carries the label that permits chaos; undefined where there is no such thing as a label. */
    labelled?: boolean;
  };
  /** Instances of the target that run, and how many of them the fault would reach. */
  instances: { running: number; reached: number };
  /** Largest share of the instances that the configuration permits, in percent. */
  maxPercent: number;
  /** Other runs under way on any path that the target or the hypothesis belongs to. */
  activeRuns: { id: string; criticalPath: string }[];
  hours: WorkingHours;
  freezes: Freeze[];
  /** Critical paths that the fault can reach, as they are now. */
  paths: {
    criticalPath: string;
    state: string;
    /** Whether a fast burn of its budget is going on. */
    burning: boolean;
    /** Age of its newest minute, in seconds; undefined when nothing was ever read. */
    telemetryAgeSeconds?: number;
    openIncidents: number;
  }[];
  /** When the target was deployed last, milliseconds. */
  lastDeploymentAt?: number;
}

/** Time after a deployment in which its own effects are not told from the fault's, in milliseconds. */
export const SETTLE_MS = 15 * 60 * 1000;
/** Age of the newest minute above which the source counts as blind, in seconds. */
export const BLIND_SECONDS = 300;
/** States of a path in which it may be broken on purpose. */
const STEADY = new Set(['healthy', 'no-objective']);

/** Instances that a blast radius reaches: a share of those that run, rounded up. */
export function reachedInstances(
  radius: Experiment['blastRadius'],
  running: number,
): number {
  return Math.min(running, Math.ceil((radius.percent / 100) * running));
}

/**
 * Every reason why an experiment may not begin now; empty when it may. All
 * rails are judged, so that a person sees everything that is in the way.
 */
export function judgeGuardRails(
  experiment: Experiment,
  context: GuardContext,
): Refusal[] {
  const refusals: Refusal[] = [];
  const refuse = (rail: GuardRail, reason: string) =>
    refusals.push({ rail, reason });
  const { now, environment, instances, hours } = context;
  const { target, blastRadius } = experiment;

  if (!environment) {
    refuse(
      'staging-only',
      `There is no environment '${target.environment}'; choose one that the configuration names`,
    );
  } else if (environment.tier === 'production') {
    refuse(
      'staging-only',
      `'${environment.name}' is production; experiments run in staging, whoever asks`,
    );
  } else if (!environment.allowed) {
    refuse(
      'staging-only',
      `'${environment.name}' is not in chaos.environments; add it there to allow experiments in it`,
    );
  } else if (environment.labelled === false) {
    refuse(
      'staging-only',
      `The namespace of '${environment.name}' does not carry the label that permits experiments`,
    );
  }

  if (instances.running === 0) {
    refuse(
      'blast-radius',
      `Nothing of ${target.component} runs in '${target.environment}'; start it first`,
    );
  } else if (
    instances.reached > 0 &&
    blastRadius.percent > context.maxPercent &&
    !blastRadius.totalLoss
  ) {
    refuse(
      'blast-radius',
      `It would reach ${blastRadius.percent} % of the instances; at most ${context.maxPercent} % are allowed unless the hypothesis is about losing all of it`,
    );
  } else if (instances.reached >= instances.running && !blastRadius.totalLoss) {
    refuse(
      'blast-radius',
      `It would reach all ${instances.running} instances and leave none untouched; make it smaller, or say that the hypothesis is about losing all of it`,
    );
  }

  for (const { id, criticalPath } of context.activeRuns) {
    refuse(
      'one-per-path',
      `The run ${id} is under way on ${criticalPath}; wait until it has ended`,
    );
  }

  const outside = outsideHours(now, hours);
  if (outside) refuse('working-hours', `Not now: ${outside}`);

  const freeze = freezeAt(now, context.freezes, hours.timeZone);
  if (freeze) {
    refuse(
      'freeze',
      `Nothing is broken from ${freeze.from} to ${freeze.to}: ${freeze.reason}`,
    );
  }

  for (const path of context.paths) {
    const { criticalPath, telemetryAgeSeconds: age } = path;
    if (age === undefined || age > BLIND_SECONDS) {
      refuse(
        'telemetry',
        age === undefined
          ? `Nothing is known of ${criticalPath}; without telemetry nobody can see what a fault does`
          : `The newest figures of ${criticalPath} are ${Math.round(
              age,
            )} s old; without telemetry nobody can see what a fault does`,
      );
    } else if (path.burning || !STEADY.has(path.state)) {
      refuse(
        'health',
        `${criticalPath} is ${
          path.burning ? 'burning its budget' : path.state
        }; an experiment begins from a steady state`,
      );
    }
    if (path.openIncidents > 0) {
      refuse(
        'open-incident',
        `${criticalPath} has ${path.openIncidents} open ${
          path.openIncidents === 1 ? 'incident' : 'incidents'
        }; see to that first`,
      );
    }
  }

  const since =
    context.lastDeploymentAt === undefined
      ? Infinity
      : now - context.lastDeploymentAt;
  if (since < SETTLE_MS) {
    refuse(
      'recent-deployment',
      `${target.component} was deployed ${Math.floor(
        since / 60_000,
      )} minutes ago; wait until ${SETTLE_MS / 60_000} minutes have passed`,
    );
  }
  return refusals;
}
