import {
  createExtensionPoint,
  type BackstageCredentials,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import type {
  Effect,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';

/** What a handler may know of the effect that it is asked about. */
export interface EffectContext {
  /** Aborts when the backend stops or the operation is given up. */
  signal: AbortSignal;
  /** Who asked; absent in reconciliation and after a restart. */
  credentials?: BackstageCredentials;
  /** Tells people what is going on; kept with the effect. */
  progress(message: string): Promise<void>;
}

/** `retry`: not done yet, ask again after `afterMs`; `retained`: data stays until then; `manual`: a person has to. */
export type UndoResult =
  | { outcome: 'done'; message?: string }
  | { outcome: 'retry'; afterMs: number; message: string }
  | { outcome: 'retained'; until: Date; message: string }
  | { outcome: 'manual'; instruction: string };

/**
 * Makes, looks at and takes back one type of thing in an outside system. Each
 * call can be repeated and can follow a crash at any point of an earlier one:
 * what is already so is left alone. A handler marks what it makes (label, tag,
 * comment) with the effect's id or subject, adopts only what carries the mark,
 * and never touches what does not.
 */
export interface EffectHandler {
  /** `<system>.<thing>`, for example `newrelic.alert-policy`. */
  readonly type: string;
  /** For people: `New Relic alert policy`. */
  readonly title: string;
  /** Position in retirement: traffic 10, alerts 20, workload 30, data 40, repository 50, entity 60. */
  readonly retireOrder: number;
  /**
   * Whether another run may not take up what one has begun: of two runs for
   * one name the second is refused. Operations may change what is live.
   */
  readonly exclusive?: boolean;
  /** Asked before anything is written. @throws InputError when it can be no name of such a thing. */
  checkReference?(reference: string): void;
  /** @throws InputError that names the field. The answer is stored as the intent; it holds no secret. */
  parseIntent(intent: JsonObject): JsonObject;
  /** How it will be taken back, in a sentence for people. */
  describeUndo(effect: Pick<Effect, 'reference' | 'intent'>): string;
  /** How it leaves use when its component is retired, where that is another thing than undo: what is kept, and how long. */
  describeRetirement?(effect: Pick<Effect, 'reference' | 'intent'>): string;
  /** Looks whether `apply` could work. Writes nothing, nowhere. */
  preflight(
    request: Pick<
      Effect,
      'reference' | 'intent' | 'subject' | 'owner' | 'environment'
    >,
    context: EffectContext,
  ): Promise<PreflightFinding[]>;
  /** Makes it as intended, or changes it to that. @returns details to keep; no secrets. */
  apply(effect: Effect, context: EffectContext): Promise<JsonObject>;
  observe(effect: Effect, context: EffectContext): Promise<Observation>;
  /** `undo`: as if it had never been. `retire`: out of use, data kept for its retention, repositories archived. */
  remove(
    effect: Effect,
    mode: 'undo' | 'retire',
    context: EffectContext,
  ): Promise<UndoResult>;
}

export interface ProvisioningEffectsExtensionPoint {
  /** The type must be free. */
  addEffectHandler(handler: EffectHandler): void;
}

/** Adds types of things that Rocket makes in outside systems. */
export const provisioningEffectsExtensionPoint =
  createExtensionPoint<ProvisioningEffectsExtensionPoint>({
    id: 'provisioning.effects',
  });
