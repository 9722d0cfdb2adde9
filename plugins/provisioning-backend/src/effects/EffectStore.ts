import type {
  Effect,
  EffectEvent,
  EffectState,
} from '@rocket/plugin-provisioning-common';
import type { EffectFilter } from './EffectLedger';

/** An effect as it is stored. */
export interface EffectRecord extends Effect {
  /** What was asked for once it is to go; a restart goes on with that. */
  removal?: 'undo' | 'retire';
}

/** What changes in an effect; `undefined` clears a field. */
export type EffectPatch = Partial<
  Pick<
    EffectRecord,
    | 'owner'
    | 'run'
    | 'step'
    | 'intent'
    | 'details'
    | 'state'
    | 'message'
    | 'instruction'
    | 'undo'
    | 'removal'
    | 'retainedUntil'
    | 'observation'
    | 'actor'
  >
>;

export type NewEffect = Omit<EffectRecord, 'sequence'>;

/** Sole right to write an effect, until `until` (ISO 8601). */
export interface Lease {
  holder: string;
  until: string;
}

/**
 * Rows of the ledger. Whoever works on an effect holds its lease and renews
 * it; a lease that ran out, or that was given back with a time, is unfinished
 * work which anybody may take up.
 */
export interface EffectStore {
  /** Undefined when an effect that is not `undone` has the type and reference; nothing is written then. */
  insert(
    effect: NewEffect,
    lease: Lease | undefined,
    event: Omit<EffectEvent, 'effectId'>,
  ): Promise<EffectRecord | undefined>;
  get(id: string): Promise<EffectRecord | undefined>;
  /** The one that is not `undone`. */
  findActive(
    type: string,
    reference: string,
  ): Promise<EffectRecord | undefined>;
  /** By sequence, ascending. */
  list(filter: EffectFilter): Promise<EffectRecord[]>;
  /** How many that are not `undone` an owner has of a type. */
  count(owner: string, type: string): Promise<number>;
  /** Undefined while somebody else holds the lease. */
  claim(id: string, lease: Lease): Promise<EffectRecord | undefined>;
  /** False when the lease was lost. */
  renew(id: string, lease: Lease): Promise<boolean>;
  /**
   * Writes as the holder of the lease, the event with it.
   * @param options.attendAt time at which unfinished work is to be taken up;
   * `release` without it: nobody has to.
   * @throws ConflictError when the lease was lost; nothing is written then.
   */
  change(
    id: string,
    holder: string,
    patch: EffectPatch,
    options: {
      event?: Omit<EffectEvent, 'effectId'>;
      release?: boolean;
      attendAt?: string;
    },
  ): Promise<EffectRecord>;
  /** Keeps what was found while it is `live`; needs no lease. */
  keepObservation(
    id: string,
    observation: NonNullable<Effect['observation']>,
    event?: Omit<EffectEvent, 'effectId'>,
  ): Promise<EffectRecord>;
  /** Unfinished work that nobody holds, the oldest first. */
  listUnattended(limit: number): Promise<EffectRecord[]>;
  /** Live ones that were looked at before `before` (ISO 8601) or never, the longest ago first. */
  listUnobserved(before: string, limit: number): Promise<EffectRecord[]>;
  /** Whether it ever reached the state. */
  hasBeen(id: string, state: EffectState): Promise<boolean>;
  /** In the order in which they happened. */
  events(effectId: string): Promise<EffectEvent[]>;
}
