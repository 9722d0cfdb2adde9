import { randomUUID } from 'node:crypto';
import type { Effect, EffectRequest } from '@rocket/plugin-provisioning-common';
import type { UndoResult } from '@rocket/plugin-provisioning-node';
import type { EffectFilter, EffectLedger } from '../effects/EffectLedger';

const ORDER: Record<string, number> = {
  'traffic.route': 10,
  'newrelic.alert-policy': 20,
  'local.service': 30,
  'postgres.database': 40,
  'git.repository': 50,
  'catalog.entity': 60,
};

/** A ledger and the outside world it speaks of, in memory. */
export class FakeLedger
  implements
    Pick<
      EffectLedger,
      'get' | 'list' | 'remove' | 'perform' | 'retireOrder' | 'describe'
    >
{
  readonly effects = new Map<string, Effect>();
  /** Each call that took something back, in order: `<mode> <type> <reference>`. */
  readonly removals: string[] = [];
  /** What `remove` of a reference answers, one after another; then `done`. Errors are thrown. */
  readonly answers = new Map<string, (UndoResult | Error)[]>();
  /** Called at the begin of each removal. */
  beforeRemove?: (effect: Effect, signal?: AbortSignal) => Promise<void>;
  /** Each call that made something, in order: `<type> <reference>`. */
  readonly performed: string[] = [];
  /** Errors of `perform` of a reference, one after another; then it works. */
  readonly failures = new Map<string, Error[]>();
  /** Called when the effect is written, before it is made. */
  beforePerform?: (effect: Effect, signal?: AbortSignal) => Promise<void>;
  #sequence = 0;

  describe({ type, reference }: Pick<Effect, 'type' | 'reference'>) {
    return {
      title: `${type} ${reference}`,
      retirement:
        type === 'postgres.database'
          ? 'Its data is kept for 30 days'
          : undefined,
    };
  }

  /** A thing that a run made. */
  add(type: string, changes: Partial<Effect> = {}): Effect {
    this.#sequence += 1;
    const effect: Effect = {
      id: randomUUID(),
      type,
      reference: 'pay-api',
      subject: 'component:default/pay-api',
      owner: 'group:default/ledger',
      run: 'task:1',
      step: 'make',
      sequence: this.#sequence,
      intent: {},
      details: {},
      state: 'live',
      undo: `The ${type} is deleted`,
      actor: 'user:default/alice',
      createdAt: '2026-11-21T00:00:00.000Z',
      updatedAt: '2026-11-21T00:00:00.000Z',
      ...changes,
    };
    this.effects.set(effect.id, effect);
    return effect;
  }

  async perform(
    request: EffectRequest,
    _actor: unknown = undefined,
    options: { signal?: AbortSignal } = {},
  ): Promise<Effect> {
    this.performed.push(`${request.type} ${request.reference}`);
    const existing = [...this.effects.values()].find(
      ({ type, reference, state }) =>
        type === request.type &&
        reference === request.reference &&
        state !== 'undone',
    );
    const effect =
      existing ?? this.add(request.type, { ...request, state: 'applying' });
    await this.beforePerform?.(effect, options.signal);
    const failure = this.failures.get(request.reference)?.shift();
    if (failure) {
      effect.state = 'failed';
      throw failure;
    }
    return Object.assign(effect, { intent: request.intent, state: 'live' });
  }

  async remove(
    id: string,
    mode: 'undo' | 'retire',
    _actor: unknown,
    options: { signal?: AbortSignal } = {},
  ) {
    const effect = this.effects.get(id)!;
    if (effect.state === 'undone') return { effect };
    await this.beforeRemove?.(effect, options.signal);
    this.removals.push(`${mode} ${effect.type} ${effect.reference}`);
    effect.state = 'undoing';
    const answer = this.answers.get(effect.reference)?.shift() ?? {
      outcome: 'done',
    };
    if (answer instanceof Error) throw answer;
    switch (answer.outcome) {
      case 'done':
        effect.state = 'undone';
        return { effect };
      case 'retained':
        effect.state = 'retained';
        effect.retainedUntil = answer.until.toISOString();
        return { effect };
      case 'manual':
        effect.state = 'manual';
        effect.instruction = answer.instruction;
        return { effect };
      default:
        effect.message = answer.message;
        return { effect, retryAfterMs: answer.afterMs };
    }
  }

  async get(id: string) {
    return this.effects.get(id);
  }

  async list({ states, after, limit, ...filter }: EffectFilter) {
    return [...this.effects.values()].filter(
      effect =>
        (!states || states.includes(effect.state)) &&
        Object.entries(filter).every(
          ([key, value]) =>
            value === undefined || effect[key as keyof Effect] === value,
        ),
    );
  }

  retireOrder(type: string) {
    return ORDER[type] ?? 59;
  }
}
