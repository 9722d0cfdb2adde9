import type {
  Effect,
  EffectEvent,
  EffectRequest,
  EffectState,
  PreflightReport,
} from '@rocket/plugin-provisioning-common';
import type { BackstageCredentials } from '@backstage/backend-plugin-api';

/** Who acts: named in the ledger, and with credentials while the request lasts. */
export interface Actor {
  /** Entity ref of the user, or subject of the service. */
  name: string;
  credentials?: BackstageCredentials;
}

export interface EffectFilter {
  subject?: string;
  owner?: string;
  environment?: string;
  run?: string;
  states?: EffectState[];
  type?: string;
  reference?: string;
  /** Only those with a greater sequence. */
  after?: number;
  limit?: number;
}

/**
 * What Rocket made in outside systems, for whom, and how to take it back. Each
 * effect is written before it is attempted and after; what a crash interrupts
 * is found here and can be taken up or taken back.
 */
export interface EffectLedger {
  /** All handlers' looks at what a run wants to make, at once; nothing is written anywhere. */
  preflight(requests: EffectRequest[], actor: Actor): Promise<PreflightReport>;
  /**
   * Writes the effect, makes it, and answers when it is `live`. The same
   * type and reference again for the same subject changes it to the new intent
   * (or finds nothing to do).
   * @throws ConflictError when it belongs to another subject or another run
   * works on it; whatever the handler throws, after `failed` is written.
   */
  perform(
    request: EffectRequest,
    actor: Actor,
    options?: { signal?: AbortSignal },
  ): Promise<Effect>;
  /** Like `perform`, but answers when the effect is written; it is made in the background, also after a restart. */
  begin(request: EffectRequest, actor: Actor): Promise<Effect>;
  /**
   * Writes the effect as `planned` for a caller that makes it itself (a push,
   * say) and calls `perform` when that is done; the handler then looks at what
   * was made. Until then it can be taken back like any other.
   */
  expect(request: EffectRequest, actor: Actor): Promise<Effect>;
  /**
   * One attempt to take it back; call again while the state stays `undoing`.
   * Nothing to do for what is `undone`. When the handler throws, the state
   * stays `undoing`, too.
   */
  remove(
    id: string,
    mode: 'undo' | 'retire',
    actor: Actor,
    options?: { signal?: AbortSignal },
  ): Promise<{ effect: Effect; retryAfterMs?: number }>;
  /** Looks at the outside world and keeps what was found. */
  observe(id: string, options?: { signal?: AbortSignal }): Promise<Effect>;
  get(id: string): Promise<Effect | undefined>;
  /** By `sequence`, ascending. */
  list(filter: EffectFilter): Promise<Effect[]>;
  events(effectId: string): Promise<EffectEvent[]>;
  /** Position in retirement of a type's handler; of an unknown type the last but the entity. */
  retireOrder(type: string): number;
  /** Words for plans: what the effect is called, and how it goes in retirement where that is not as in undo. */
  describe(effect: Pick<Effect, 'type' | 'reference' | 'intent'>): {
    title: string;
    retirement?: string;
  };
}
