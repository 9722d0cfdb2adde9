import { randomUUID } from 'node:crypto';
import type {
  AuditorService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type {
  OperationKind,
  OperationState,
  OperationStep,
} from '@rocket/plugin-provisioning-common';
import type { OperationHandler, StepResult } from './OperationHandler';
import type { OperationRecord, OperationStore } from './OperationStore';

/** An operation that is not renewed for this long belongs to a backend that is gone. */
export const LEASE_MS = 30_000;
/** Name in the history for what nobody in particular did. */
export const ENGINE = 'rocket';

/** Longest wait for steps that do not heed their signal when the backend stops. */
const STOP_MS = 10_000;
const MAX_AT_ONCE = 4;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const MAX_ERRORS = 8;
/** Timers may be a millisecond early; what is looked for then is not due yet, and waits for the next round. */
const TIMER_SLACK_MS = 20;
/** What is wrong with the request does not get better by itself. */
const FINAL = [
  'InputError',
  'NotFoundError',
  'NotAllowedError',
  'NotImplementedError',
];

/** Another executor has the operation. */
class LeaseLostError extends Error {}

type Outcome =
  | { pause: number }
  | { status: 'done' | 'failed' | 'manual'; message?: string };

/**
 * Carries out operations, step by step. How far each one is, is stored before
 * and after each step, so that any backend over the same database goes on where
 * one was killed; a lease lets only one have it at a time.
 */
export class OperationEngine {
  readonly #store: OperationStore;
  readonly #handlers: ReadonlyMap<OperationKind, OperationHandler>;
  readonly #auditor: AuditorService;
  readonly #logger: LoggerService;
  readonly #now: () => number;
  readonly #leaseMs: number;
  readonly #ended?: (id: string) => void;
  readonly #active = new Map<
    string,
    {
      controller: AbortController;
      renewal: NodeJS.Timeout;
      done: Promise<void>;
    }
  >();
  readonly #alarms = new Set<NodeJS.Timeout>();
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: {
    store: OperationStore;
    handlers: ReadonlyMap<OperationKind, OperationHandler>;
    auditor: AuditorService;
    logger: LoggerService;
    /** Hears of operations that ended here. */
    ended?: (id: string) => void;
    /** Milliseconds since 1970. */
    now?: () => number;
    leaseMs?: number;
  }) {
    this.#store = deps.store;
    this.#handlers = deps.handlers;
    this.#auditor = deps.auditor;
    this.#logger = deps.logger;
    this.#ended = deps.ended;
    this.#now = deps.now ?? Date.now;
    this.#leaseMs = deps.leaseMs ?? LEASE_MS;
  }

  /** Takes up whatever is due and free, as far as there is room. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      try {
        while (!this.#stopped && this.#active.size < MAX_AT_ONCE) {
          const token = randomUUID();
          const record = await this.#store.claim(
            token,
            new Date(this.#now()),
            new Date(this.#now() + this.#leaseMs),
          );
          if (!record) return;
          this.#start(record, token);
        }
      } catch (error) {
        this.#logger.warn(
          `Operations could not be looked for: ${toError(error).message}`,
        );
      }
    });
    return this.#looking;
  }

  /** Resolves when nothing goes on here and nothing more is due. */
  async idle(): Promise<void> {
    for (;;) {
      await this.look();
      if (this.#active.size === 0) return;
      await Promise.all([...this.#active.values()].map(({ done }) => done));
    }
  }

  /** Lets go of everything; another backend, or the next start, goes on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const alarm of this.#alarms) clearTimeout(alarm);
    for (const { controller, renewal } of this.#active.values()) {
      clearInterval(renewal);
      controller.abort(new Error('The backend is shutting down'));
    }
    await this.#looking;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      Promise.all([...this.#active.values()].map(({ done }) => done)),
      new Promise(resolve => {
        timer = setTimeout(resolve, STOP_MS);
        timer.unref();
      }),
    ]);
    clearTimeout(timer);
  }

  #start(record: OperationRecord, token: string) {
    const controller = new AbortController();
    const renewal = setInterval(async () => {
      try {
        const { held, cancelBy } = await this.#store.renew(
          record.id,
          token,
          new Date(this.#now() + this.#leaseMs),
        );
        if (!held) controller.abort(new LeaseLostError());
        if (cancelBy) {
          record.cancelBy = cancelBy;
          controller.abort(new Error(`Ended by ${cancelBy}`));
        }
      } catch (error) {
        this.#logger.warn(
          `The lease of operation ${record.id} was not renewed: ${
            toError(error).message
          }`,
        );
      }
    }, Math.max(this.#leaseMs / 6, 50));
    const done = this.#carryOut(record, token, controller.signal)
      .catch(error => {
        if (error instanceof LeaseLostError) return;
        // The lease runs out, and then it is taken up again.
        this.#logger.error(
          `Operation ${record.id} was interrupted: ${toError(error).message}`,
        );
      })
      .finally(() => {
        clearInterval(renewal);
        this.#active.delete(record.id);
        if (!this.#stopped) void this.look();
      });
    this.#active.set(record.id, { controller, renewal, done });
  }

  async #carryOut(record: OperationRecord, token: string, signal: AbortSignal) {
    const handler = this.#handlers.get(record.kind);
    if (!handler) {
      const message = `This backend knows no operation '${record.kind}'`;
      await this.#finish(record, token, 'failed', message);
      return;
    }
    for (const step of record.steps) {
      if (step.status !== 'pending' && step.status !== 'running') continue;
      if (record.cancelBy) break;
      if (step.change === 'keep') {
        step.status = 'done';
        continue;
      }
      const outcome = await this.#attempt(handler, record, step, token, signal);
      if (outcome === undefined) break;
      if ('pause' in outcome) {
        await this.#pause(record, token, outcome.pause);
        return;
      }
      step.status = outcome.status;
      step.message = outcome.message;
      step.finishedAt = this.#time();
      delete record.attempts[step.id];
      await this.#save(record, token);
      if (outcome.status === 'failed' && handler.onFailure === 'stop') break;
    }
    const { state, message } = this.#sum(handler, record);
    await handler.ended?.(record, state, message);
    await this.#finish(record, token, state, message);
  }

  /** One attempt at one step; undefined when it was cancelled meanwhile. */
  async #attempt(
    handler: OperationHandler,
    record: OperationRecord,
    step: OperationStep,
    token: string,
    signal: AbortSignal,
  ): Promise<Outcome | undefined> {
    const { count, since } = record.attempts[step.id] ?? {
      count: 0,
      since: this.#time(),
    };
    record.attempts[step.id] = { count: count + 1, since };
    step.status = 'running';
    step.startedAt ??= since;
    await this.#save(record, token);
    const deadline = Date.parse(since) + handler.stepTimeMs;
    try {
      signal.throwIfAborted();
      const result = await handler.run(record, step, {
        signal,
        actor: { name: record.requestedBy },
        now: this.#now(),
      });
      return this.#judge(result, step, deadline);
    } catch (error) {
      const { name, message } = toError(error);
      if (signal.aborted) {
        if (signal.reason instanceof LeaseLostError) throw signal.reason;
        if (record.cancelBy) return undefined;
        // The backend ends: nothing of this counts.
        record.attempts[step.id].count = count;
        return { pause: 0 };
      }
      // What is busy becomes free; only the time of the step bounds that.
      const tooOften = count + 1 >= MAX_ERRORS && name !== 'ConflictError';
      if (FINAL.includes(name) || tooOften) {
        return { status: 'failed', message };
      }
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** count);
      if (this.#now() + pause > deadline) return { status: 'failed', message };
      step.message = `${message}; tried again`;
      return { pause };
    }
  }

  #judge(result: StepResult, step: OperationStep, deadline: number): Outcome {
    switch (result.outcome) {
      case 'done':
        return { status: 'done', message: result.message };
      case 'manual':
        return { status: 'manual', message: result.instruction };
      default:
        if (this.#now() + result.afterMs > deadline) {
          return {
            status: 'failed',
            message: `It took too long: ${result.message}`,
          };
        }
        step.message = result.message;
        return { pause: result.afterMs };
    }
  }

  /** What the steps make of the whole. */
  #sum(
    handler: OperationHandler,
    record: OperationRecord,
  ): { state: OperationState; message?: string } {
    const left = record.steps.filter(({ status }) =>
      ['pending', 'running'].includes(status),
    );
    for (const step of left) {
      step.status = 'skipped';
      step.finishedAt = this.#time();
    }
    if (record.cancelBy && left.length > 0) {
      return {
        state: 'cancelled',
        message: `Ended by ${record.cancelBy}; ${left.length} of ${record.steps.length} steps were not carried out`,
      };
    }
    const problems = record.steps.filter(({ status }) =>
      ['failed', 'manual'].includes(status),
    );
    if (problems.length === 0) return { state: 'done' };
    const failed = problems.filter(({ status }) => status === 'failed');
    if (failed.length > 0 && handler.onFailure === 'stop') {
      return {
        state: 'failed',
        message: `${failed[0].title}: ${failed[0].message}`,
      };
    }
    return {
      state: 'partial',
      message: `Left for a person: ${problems
        .map(({ title, message }) => `${title} (${message})`)
        .join('; ')}`,
    };
  }

  async #pause(record: OperationRecord, token: string, ms: number) {
    const next = new Date(this.#now() + ms);
    if (!(await this.#store.pause(record.id, token, record, next))) return;
    if (this.#stopped) return;
    const alarm = setTimeout(() => {
      this.#alarms.delete(alarm);
      void this.look();
    }, ms + TIMER_SLACK_MS);
    alarm.unref();
    this.#alarms.add(alarm);
  }

  async #save(record: OperationRecord, token: string) {
    if (!(await this.#store.save(record.id, token, record))) {
      throw new LeaseLostError();
    }
  }

  async #finish(
    record: OperationRecord,
    token: string,
    state: OperationState,
    message?: string,
  ) {
    const at = new Date(this.#now());
    const finished = await this.#store.finish(
      record.id,
      token,
      state,
      { ...record, message },
      { by: state === 'cancelled' ? record.cancelBy! : ENGINE, at, message },
    );
    if (!finished) throw new LeaseLostError();
    await this.#audit(record, state, message);
    this.#ended?.(record.id);
  }

  /** An operation goes on without the audit log; what it says is in the history, too. */
  async #audit(
    record: OperationRecord,
    state: OperationState,
    message: string | undefined,
  ) {
    try {
      const event = await this.#auditor.createEvent({
        eventId: 'operation-end',
        severityLevel: 'medium',
        meta: {
          operation: record.id,
          kind: record.kind,
          subject: record.subject,
          requestedBy: record.requestedBy,
          to: state,
        },
      });
      if (state === 'done' || state === 'cancelled') await event.success();
      else await event.fail({ error: new Error(message ?? state) });
    } catch (error) {
      this.#logger.error(`audit of operation ${record.id}: ${error}`);
    }
  }

  #time() {
    return new Date(this.#now()).toISOString();
  }
}
