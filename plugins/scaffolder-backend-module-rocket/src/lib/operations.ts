import { setTimeout as sleep } from 'node:timers/promises';
import type {
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type {
  Operation,
  OperationPlan,
  PlanRequest,
} from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { explain } from './explain';

const POLL_MS = 1_000;
/** Polls in a row without an answer before the step gives up. */
const MAX_MISSED_POLLS = 60;

/** What an action's context gives to a step that is an operation. */
export interface OperationContext {
  logger: LoggerService;
  signal?: AbortSignal;
  checkpoint(options: {
    key: string;
    fn: () => Promise<string>;
  }): Promise<string>;
}

/** Writes down what would happen. */
export function logPlan(plan: OperationPlan, logger: LoggerService): void {
  for (const { change, title, detail } of plan.steps) {
    logger.info(`${change}: ${title}. ${detail}`);
  }
  for (const warning of plan.warnings) logger.warn(warning);
  if (plan.approval) {
    logger.info(
      `It waits for a member of ${plan.approval.approvers.join(', ')}`,
    );
  }
}

/**
 * Plans an operation, asks for it and waits for its end; a resumed run goes on
 * waiting for the same one.
 * @throws with the reason and the way on when it does not end well
 */
export async function carryOut(options: {
  provisioning: Pick<
    ProvisioningService,
    'getOperation' | 'plan' | 'requestOperation'
  >;
  request: PlanRequest;
  /** Why, for whoever has to agree. */
  reason?: string;
  ctx: OperationContext;
  credentials: BackstageCredentials;
  /** Default: 1 s. */
  pollMs?: number;
}): Promise<Operation> {
  const { provisioning, request, ctx, pollMs = POLL_MS } = options;
  const call = { credentials: options.credentials };
  const what = `${request.kind} of ${request.subject}`;
  const id = await ctx.checkpoint({
    key: `operation.${request.kind}.${request.environment ?? ''}`,
    fn: async () => {
      const plan = await provisioning.plan(request, call);
      logPlan(plan, ctx.logger);
      const operation = await provisioning.requestOperation(
        { ...request, digest: plan.digest, reason: options.reason },
        call,
      );
      return operation.id;
    },
  });
  const said = new Map<string, string>();
  let missed = 0;
  for (;;) {
    ctx.signal?.throwIfAborted();
    let operation: Operation | undefined;
    try {
      operation = await provisioning.getOperation(id, call);
      missed = 0;
    } catch (error) {
      if ((error as Error).name !== 'ServiceUnavailableError') throw error;
      missed += 1;
      if (missed > MAX_MISSED_POLLS) throw error;
    }
    if (operation) {
      tell(operation, said, ctx.logger);
      if (operation.state === 'done') return operation;
      if (operation.state !== 'waiting' && operation.state !== 'running') {
        throw explain({
          failed: `${what} is ${operation.state}`,
          error: new Error(
            operation.decision?.reason ??
              operation.message ??
              'no reason was given',
          ),
          exists: `what its steps made; operation ${id} lists them`,
          next: 'see to the reason and retry the operation from the portal, or undo this run',
        });
      }
    }
    await sleep(pollMs, undefined, { signal: ctx.signal });
  }
}

/** Each change of a step once. */
function tell(
  { state, approvers, expiresAt, steps }: Operation,
  said: Map<string, string>,
  logger: LoggerService,
) {
  const say = (key: string, text: string) => {
    if (said.get(key) === text) return;
    said.set(key, text);
    logger.info(text);
  };
  if (state === 'waiting') {
    say(
      'waiting',
      `Waiting for a member of ${approvers?.join(', ')} until ${expiresAt}`,
    );
  }
  for (const { id, title, status, message } of steps) {
    if (status !== 'pending') {
      say(id, `${title}: ${status}${message ? `: ${message}` : ''}`);
    }
  }
}
