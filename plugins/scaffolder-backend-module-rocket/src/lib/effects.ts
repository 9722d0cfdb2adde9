import type { JsonObject } from '@backstage/types';
import type { EffectRequest } from '@rocket/plugin-provisioning-common';

/** Name of the task's run in the effect ledger; a resumed task has the same one. */
export function runOf(ctx: { task: { id: string } }): string {
  return `task:${ctx.task.id}`;
}

/** What a step asks the effect ledger for. */
export function effectOf(
  ctx: { task: { id: string }; step?: { id?: string } },
  defaultStep: string,
  effect: {
    type: string;
    reference: string;
    /** Entity ref of the component that it is for. */
    subject: string;
    owner: string;
    environment?: string;
    intent: JsonObject;
  },
): EffectRequest {
  return { ...effect, run: runOf(ctx), step: ctx.step?.id ?? defaultStep };
}
