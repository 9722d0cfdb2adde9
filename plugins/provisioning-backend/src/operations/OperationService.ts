import { randomUUID } from 'node:crypto';
import type {
  AuditorService,
  BackstageCredentials,
} from '@backstage/backend-plugin-api';
import { ConflictError, NotFoundError, toError } from '@backstage/errors';
import type {
  Operation,
  OperationEvent,
  OperationKind,
  OperationPlan,
  OperationRequest,
  OperationStep,
  PlanRequest,
} from '@rocket/plugin-provisioning-common';
import type { Access } from '../service/Access';
import type { Approvers } from './Approvers';
import type { OperationHandler } from './OperationHandler';
import { ENGINE } from './OperationEngine';
import {
  OperationPlanner,
  type ApprovalRules,
  type PlannedOperation,
} from './OperationPlanner';
import type {
  OperationFilter,
  OperationRecord,
  OperationStore,
} from './OperationStore';

/** Until what an operation needs is taken for it; a killed backend's is then carried out as it is. */
const HELD_MS = 60_000;

const notWaiting = ({ state, decision }: OperationRecord) =>
  new ConflictError(
    decision
      ? `${decision.by} has ${
          decision.approved ? 'agreed to' : 'refused'
        } it already`
      : `It waits for nobody; it is ${state}`,
  );

const conflictWith = ({ id, kind, state, subject }: OperationRecord) =>
  new ConflictError(
    `Another operation of ${subject} is ${state}: ${kind} (${id}); wait for its end or cancel it`,
  );

/** Plans, requests and decisions; the engine carries out what comes of them. */
export class OperationService {
  readonly #planner: OperationPlanner;
  readonly #deps: {
    store: OperationStore;
    access: Access;
    approvers: Approvers;
    auditor: AuditorService;
    /** Something is to be carried out, or somebody to be told. */
    changed: () => void;
    now: () => number;
  };

  constructor(deps: {
    store: OperationStore;
    handlers: ReadonlyMap<OperationKind, OperationHandler>;
    rules: ApprovalRules;
    access: Access;
    approvers: Approvers;
    auditor: AuditorService;
    changed?: () => void;
    /** Milliseconds since 1970. */
    now?: () => number;
  }) {
    this.#planner = new OperationPlanner(deps);
    this.#deps = { changed: () => {}, now: Date.now, ...deps };
  }

  /** What would happen; changes nothing. */
  async plan(
    request: PlanRequest,
    credentials: BackstageCredentials,
  ): Promise<OperationPlan> {
    return (await this.#planner.plan(request, credentials)).plan;
  }

  /**
   * Stores the operation, to be carried out exactly as planned.
   * @throws ConflictError when the digest is outdated, or another operation is under way.
   */
  async request(
    { digest, reason, ...request }: OperationRequest,
    credentials: BackstageCredentials,
  ): Promise<Operation> {
    const { access } = this.#deps;
    const planned = await this.#planner.plan(request, credentials);
    const { plan, draft } = planned;
    for (const owner of new Set([draft.owner, ...draft.owners])) {
      await access.requireOwner(credentials, owner);
    }
    if (plan.digest !== digest) {
      throw new ConflictError(
        'What the plan was made from has changed meanwhile; look at the new plan and ask again',
      );
    }
    return this.#store(planned, access.describe(credentials), reason);
  }

  /** The same for Rocket itself, by what is planned now. */
  async requestAs(
    request: PlanRequest,
    by: string,
    reason: string,
  ): Promise<Operation> {
    return this.#store(await this.#planner.plan(request), by, reason);
  }

  async #store(
    { plan, draft, rules }: PlannedOperation,
    by: string,
    reason: string | undefined,
  ): Promise<Operation> {
    const { store, now } = this.#deps;
    const time = now();
    const record: OperationRecord = {
      id: randomUUID(),
      kind: plan.kind,
      subject: plan.subject,
      owner: draft.owner,
      environment: plan.environment,
      input: plan.input,
      digest: plan.digest,
      steps: plan.steps.map(step => ({ ...step, status: 'pending' })),
      attempts: {},
      state: rules.length > 0 ? 'waiting' : 'running',
      reason,
      requestedBy: by,
      requestedAt: new Date(time).toISOString(),
      ...(rules.length > 0
        ? {
            approvalGroups: rules.map(({ approvers }) => approvers),
            approvers: plan.approval!.approvers,
            expiresAt: new Date(
              time + Math.min(...rules.map(({ expiryMs }) => expiryMs)),
            ).toISOString(),
          }
        : {}),
    };
    const inTheWay = await store.insert(record, new Date(time + HELD_MS));
    if (inTheWay) throw conflictWith(inTheWay);
    try {
      await this.#planner.handler(plan.kind).admit?.(record);
    } catch (error) {
      const { message } = toError(error);
      await store.abandon(record.id, {
        by: ENGINE,
        at: new Date(now()),
        message,
      });
      throw error;
    }
    await store.release(record.id, new Date(time));
    this.#deps.changed();
    return toOperation(record);
  }

  async list(filter: OperationFilter): Promise<Operation[]> {
    return (await this.#deps.store.list(filter)).map(toOperation);
  }

  async get(id: string): Promise<Operation> {
    return toOperation(await this.#get(id));
  }

  async events(id: string): Promise<OperationEvent[]> {
    await this.#get(id);
    return this.#deps.store.events(id);
  }

  /** @throws NotAllowedError for who may not; ConflictError when it is decided, over, or no longer as planned. */
  async decide(
    id: string,
    approved: boolean,
    reason: string | undefined,
    credentials: BackstageCredentials,
  ): Promise<Operation> {
    const { store, approvers, now } = this.#deps;
    const record = await this.#get(id);
    const by = await approvers.require(record, credentials);
    if (record.state !== 'waiting') throw notWaiting(record);
    const at = new Date(now());
    if (approved) await this.#requireAsPlanned(record, by);
    const decided = await store.decide(
      id,
      { by, at: at.toISOString(), approved, ...(reason ? { reason } : {}) },
      { by, at, message: reason },
    );
    if (!decided) {
      await this.expire();
      throw notWaiting(await this.#get(id));
    }
    this.#deps.changed();
    if (!approved) await this.#ended(id);
    return this.get(id);
  }

  /** What waits ends at once, what runs after the step that is under way. */
  async cancel(
    id: string,
    credentials: BackstageCredentials,
  ): Promise<Operation> {
    const { store, access, now } = this.#deps;
    const record = await this.#get(id);
    await access.requireOwner(credentials, record.owner);
    const by = access.describe(credentials);
    const at = new Date(now());
    if (await store.endWaiting(id, 'cancelled', { by, at })) {
      await this.#ended(id);
    } else if (!(await store.requestCancel(id, by, at))) {
      throw new ConflictError(
        `It is ${
          (await this.#get(id)).state
        } already; there is nothing to cancel`,
      );
    }
    this.#deps.changed();
    return this.get(id);
  }

  /** Tries again what failed, was left to a person or was not reached. */
  async retry(
    id: string,
    credentials: BackstageCredentials,
  ): Promise<Operation> {
    const { access } = this.#deps;
    const record = await this.#get(id);
    await access.requireOwner(credentials, record.owner);
    await this.restart(record, access.describe(credentials));
    return this.get(id);
  }

  /** Like `retry`, for the sweeper. @throws ConflictError when it cannot be done now. */
  async restart(record: OperationRecord, by: string): Promise<void> {
    const { store, now } = this.#deps;
    if (record.approvalGroups && !record.decision?.approved) {
      throw new ConflictError('Nobody agreed to it; ask for it again');
    }
    const steps = record.steps.map(
      (step): OperationStep =>
        step.status === 'done'
          ? step
          : { ...step, status: 'pending', message: undefined },
    );
    const restarted = await store.restart(
      record.id,
      { steps, attempts: {} },
      { by, at: new Date(now()), message: 'Tried again' },
    );
    if (!restarted) {
      throw new ConflictError(
        `It is ${(await this.#get(record.id)).state}, or another operation of ${
          record.subject
        } is under way; only one that failed, is partial or was cancelled can be tried again`,
      );
    }
    this.#deps.changed();
  }

  /** Ends what waited too long. */
  async expire(): Promise<void> {
    const { store, now } = this.#deps;
    const at = new Date(now());
    for (const id of await store.listOverdue(at)) {
      const message = 'Nobody decided in time; ask for it again';
      if (await store.endWaiting(id, 'expired', { by: ENGINE, at, message })) {
        await this.#ended(id);
        const event = await this.#deps.auditor.createEvent({
          eventId: 'operation-expire',
          severityLevel: 'low',
          meta: { operation: id },
        });
        await event.success();
        this.#deps.changed();
      }
    }
  }

  /** What changed while it waited was not seen by who asked. */
  async #requireAsPlanned(record: OperationRecord, by: string) {
    let problem: string | undefined;
    try {
      const { plan } = await this.#planner.plan(record);
      if (plan.digest !== record.digest) {
        problem = 'What it was planned from has changed; ask for it again';
      }
    } catch (error) {
      if (
        !['InputError', 'NotFoundError', 'ConflictError'].includes(
          (error as Error).name,
        )
      ) {
        throw error;
      }
      problem = `It can no longer be done: ${(error as Error).message}`;
    }
    if (problem === undefined) return;
    const at = new Date(this.#deps.now());
    await this.#deps.store.endWaiting(record.id, 'failed', {
      by,
      at,
      message: problem,
    });
    await this.#ended(record.id);
    this.#deps.changed();
    throw new ConflictError(problem);
  }

  async #ended(id: string) {
    const record = await this.#get(id);
    await this.#planner
      .handler(record.kind)
      .ended?.(record, record.state, record.message);
  }

  async #get(id: string): Promise<OperationRecord> {
    const record = await this.#deps.store.get(id);
    if (!record) throw new NotFoundError(`There is no operation '${id}'`);
    return record;
  }
}

/** What the API shows. */
export function toOperation(record: OperationRecord): Operation {
  const { digest, approvalGroups, attempts, cancelBy, notified, ...shown } =
    record;
  return shown;
}
