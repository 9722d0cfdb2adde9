import type { JsonObject } from '@backstage/types';

/**
 * Life of an effect. `planned` is written before anything is attempted, so
 * that a run that was killed leaves no unknown thing behind.
 *
 * - `applying`: being made; after a crash it may exist, in part or whole
 * - `live`: made, and as intended when last looked at
 * - `failed`: the attempt ended with an error; something may exist
 * - `undoing`: being taken back
 * - `undone`: gone from the outside world; the row is history
 * - `manual`: a person has to finish it; `instruction` says what to do
 * - `retained`: out of use, its data kept until `retainedUntil`
 */
export const EFFECT_STATES = [
  'planned',
  'applying',
  'live',
  'failed',
  'undoing',
  'undone',
  'manual',
  'retained',
] as const;
export type EffectState = (typeof EFFECT_STATES)[number];

/** What a look at the outside world found. */
export interface Observation {
  /** `unknown`: the outside system did not answer; never taken for `absent`. */
  state: 'present' | 'absent' | 'drifted' | 'unknown';
  /** For `drifted`: each difference in words, with the field, the intended and the found value; no secrets. */
  differences?: { field: string; intended: string; found: string }[];
  /** Why `unknown`, or what else there is to say. */
  message?: string;
  /** ISO 8601. */
  observedAt: string;
}

/** One thing that Rocket made in an outside system for one component. */
export interface Effect {
  id: string;
  /** Kind of thing, for example `git.repository`, `postgres.database`; one handler per type. */
  type: string;
  /** Name of the thing in its system, unique per type among effects that are not `undone`. */
  reference: string;
  /** Entity ref of the component it was made for, or of the environment's owner. */
  subject: string;
  /** Entity ref of the owner; who may change it. */
  owner: string;
  /** Name of the environment; absent for what exists once for all of them (the repository, say). */
  environment?: string;
  /** What made it: `task:<scaffolder task id>` or `operation:<id>`. */
  run: string;
  /** Step of the run. */
  step: string;
  /** Order in which effects were begun, over all runs; undo goes backwards. */
  sequence: number;
  /** What it is meant to be: the handler's input. Never a secret; references to secrets only. */
  intent: JsonObject;
  /** What the outside system said of it: ids, addresses, links. Never a secret. */
  details: JsonObject;
  state: EffectState;
  /** Why it is `failed`, or what is going on. */
  message?: string;
  /** For `manual`: what a person has to do. */
  instruction?: string;
  /** How it is taken back, in a sentence. */
  undo: string;
  /** ISO 8601; set for `retained`. */
  retainedUntil?: string;
  observation?: Observation;
  /** Entity ref of the user, or subject of the service, that asked for it. */
  actor: string;
  createdAt: string;
  updatedAt: string;
}

/** One change of an effect's state; append-only. */
export interface EffectEvent {
  effectId: string;
  at: string;
  actor: string;
  from?: EffectState;
  to: EffectState;
  message?: string;
}

/** Body of `POST /effects` and element of `POST /preflight`. */
export interface EffectRequest {
  type: string;
  reference: string;
  subject: string;
  owner: string;
  environment?: string;
  run: string;
  step: string;
  intent: JsonObject;
}

/** One thing that speaks against a run, or that was looked at and is well. */
export interface PreflightFinding {
  /** Stable, for example `name-taken`, `owner-unknown`, `quota-exceeded`, `credentials-insufficient`. */
  reason: string;
  level: 'ok' | 'warning' | 'error';
  /** Which input or thing it is about. */
  subject: string;
  /** What is wrong, and the way out. */
  message: string;
}

/** Answer of `POST /preflight`. */
export interface PreflightReport {
  passed: boolean;
  findings: PreflightFinding[];
}
