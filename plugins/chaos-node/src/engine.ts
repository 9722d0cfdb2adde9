import { createExtensionPoint } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import type {
  Experiment,
  FaultTarget,
  FaultType,
} from '@rocket/plugin-chaos-common';

/** Where a fault is injected, as the configuration of environments has it. */
export interface ChaosEnvironment {
  name: string;
  tier: 'development' | 'staging';
  /** Id of the runtime: `local`, `kubernetes`. */
  runtime: string;
  /** The runtime's settings of the environment: cluster, namespace. */
  settings: JsonObject;
}

/** A run as an engine sees it. */
export interface EngineRun {
  /** Unique, `[a-z0-9-]`, at most 40 characters: name and label of whatever the engine makes. */
  id: string;
  team: string;
  environment: ChaosEnvironment;
  experiment: Pick<
    Experiment,
    'fault' | 'target' | 'blastRadius' | 'durationSeconds'
  >;
}

/** What an engine would do. */
export interface InjectionPlan {
  /** Those that it would reach, at most the blast radius. */
  targets: FaultTarget[];
  /** Instances of the target that run. */
  running: number;
  /** Whether the place carries the label that permits faults; absent where there are no labels. */
  labelled?: boolean;
  /** The object that it would create, as it would; no secrets. */
  manifest?: JsonObject;
}

/** How an injection stands, as often as somebody asks. */
export interface InjectionState {
  /**
   * - `pending`: asked for, not in place yet
   * - `injected`: in place on every planned target
   * - `partial`: in place on some, and no more will come
   * - `recovered`: gone from all of them
   * - `failed`: it could not be injected; nothing is in place
   * - `absent`: the engine knows nothing of the run
   */
  state: 'pending' | 'injected' | 'partial' | 'recovered' | 'failed' | 'absent';
  targets: FaultTarget[];
  /** By the engine's own clock and records, ISO 8601; absent when it keeps none. */
  injectedAt?: string;
  recoveredAt?: string;
  /** Why it failed, or what else there is to say. */
  message?: string;
  /** What the engine recorded, kept as evidence. Its opinion decides nothing. */
  record?: JsonObject;
}

/** Outcome of an attempt to take a fault away. */
export type RemovalResult =
  | { outcome: 'gone' }
  /** Ask again after this time. */
  | { outcome: 'pending'; afterMs: number; message: string }
  /** The engine forgot it, but the fault may be in place; a person has to look. */
  | { outcome: 'unknown'; message: string };

/**
 * Injects faults and takes them away. It says how that went and nothing about
 * what it meant: verdicts come from SLIs. Each call can be repeated with the
 * same run; after a crash `listRuns` finds what was left.
 */
export interface ChaosEngine {
  /** For example `local`, `chaos-mesh`, `litmus`. */
  readonly id: string;
  readonly title: string;
  /** Faults that it can inject there, from what it finds there. @throws with the reason when it cannot be asked */
  capabilities(
    environment: ChaosEnvironment,
    options: { signal: AbortSignal },
  ): Promise<FaultType[]>;
  /** Looks what it would reach. Writes nothing, nowhere. */
  plan(
    run: EngineRun,
    options: { signal: AbortSignal },
  ): Promise<InjectionPlan>;
  /**
   * Begins the injection and answers at once; never over something older of
   * the same name. What lasts must end by itself after `durationSeconds`, also
   * when nobody asks for it any more.
   */
  inject(run: EngineRun, options: { signal: AbortSignal }): Promise<void>;
  /** How it stands. */
  observe(
    run: EngineRun,
    options: { signal: AbortSignal },
  ): Promise<InjectionState>;
  /** Takes the fault away; what is not there is gone. */
  remove(
    run: EngineRun,
    options: { signal: AbortSignal },
  ): Promise<RemovalResult>;
  /** Ids of the runs of which something is left in the environment. */
  listRuns(
    environment: ChaosEnvironment,
    options: { signal: AbortSignal },
  ): Promise<string[]>;
}

export interface ChaosEnginesExtensionPoint {
  /** The id must be free. */
  addEngine(engine: ChaosEngine): void;
}

/** Adds engines that inject faults. */
export const chaosEnginesExtensionPoint =
  createExtensionPoint<ChaosEnginesExtensionPoint>({ id: 'chaos.engines' });
