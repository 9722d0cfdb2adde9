import { ConflictError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  Effect,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { desiredConditions } from '../desired/conditions';
import { type Difference, differences } from '../differences';
import { isMarked, markOf, nameOf } from '../mark';
import {
  type FoundCondition,
  INCIDENT_PREFERENCE,
  type Policy,
} from '../nerdgraph/alerts';
import type { Scope } from '../nerdgraph/NerdGraph';
import {
  assertEnabled,
  detail,
  findings,
  fromDifferences,
  type HandlerDeps,
  observed,
  ok,
  taken,
} from './common';

interface Found {
  policy: Policy;
  /** Of Rocket, for this component. */
  own: FoundCondition[];
  /** Of anybody else. */
  foreign: FoundCondition[];
}

type Named = Pick<Effect, 'reference' | 'subject' | 'intent'> & {
  details?: JsonObject;
};

/**
 * An alert policy with the standard conditions and the burn alerts of a
 * service. New Relic's policies have no description, so the mark is on the
 * conditions: a policy of the right name belongs to the component when one of
 * its conditions says so, when the ledger has its id, or when it is still
 * empty, as a run leaves it that is killed after the first mutation.
 */
export class AlertPolicyHandler implements EffectHandler {
  readonly type = 'newrelic.alert-policy';
  readonly title = 'New Relic alert policy';
  readonly retireOrder = 20;

  constructor(private readonly deps: HandlerDeps) {}

  parseIntent(intent: JsonObject): JsonObject {
    return this.deps.intents.alertPolicy(intent) as JsonObject;
  }

  describeUndo({ reference }: Pick<Effect, 'reference'>): string {
    return `Deletes Rocket's conditions and the alert policy '${nameOf({
      reference,
    })}'; conditions that others added stay, with the policy`;
  }

  preflight(request: Named, context: EffectContext) {
    const subject = `alert policy '${nameOf(request)}'`;
    return findings(
      this.deps,
      subject,
      async (): Promise<PreflightFinding[]> => {
        const { scope } = this.wanted(request, context);
        try {
          return (await this.find(scope, request))
            ? [ok(subject, 'It exists already and was made for this component')]
            : [
                ok(
                  subject,
                  `The name is free in account '${scope.account.name}'`,
                ),
              ];
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
          return [taken(subject, error.message)];
        }
      },
    );
  }

  async apply(effect: Effect, context: EffectContext): Promise<JsonObject> {
    assertEnabled(this.deps);
    const { scope, conditions } = this.wanted(effect, context);
    const { alerts, nerdGraph } = this.deps;
    const name = nameOf(effect);
    let found = await this.find(scope, effect);
    if (!found) {
      await context.progress(`making the alert policy '${name}'`);
      const policy = await nerdGraph.create(
        scope,
        `the alert policy '${name}'`,
        () => alerts.createPolicy(scope, name),
        async () => (await this.find(scope, effect))?.policy,
      );
      found = { policy, own: [], foreign: [] };
    }
    const { policy, own } = found;
    if (
      policy.name !== name ||
      policy.incidentPreference !== INCIDENT_PREFERENCE
    ) {
      await alerts.updatePolicy(scope, policy.id, name);
    }
    for (const condition of conditions) {
      const [existing, ...copies] = own.filter(
        ({ name: known }) => known === condition.name,
      );
      for (const { id } of copies) await alerts.deleteCondition(scope, id);
      if (!existing) {
        await context.progress(`making the condition '${condition.name}'`);
        await nerdGraph.create(
          scope,
          `the condition '${condition.name}'`,
          () => alerts.createCondition(scope, policy.id, condition),
          async () =>
            (
              await alerts.conditions(scope, policy.id)
            ).find(
              ({ name: known, description }) =>
                known === condition.name &&
                description === condition.description,
            ),
        );
      } else if (differences('', condition, existing).length > 0) {
        await alerts.updateCondition(scope, existing.id, condition);
      }
    }
    const names = new Set(conditions.map(condition => condition.name));
    for (const { id, name: known } of own) {
      if (!names.has(known)) await alerts.deleteCondition(scope, id);
    }
    const { uiBaseUrl } = scope.account;
    return {
      account: scope.account.name,
      policyId: policy.id,
      policy: name,
      conditions: conditions.map(condition => condition.name),
      ...(uiBaseUrl
        ? {
            url: `${uiBaseUrl}/alerts-ai/policies?account=${scope.account.id}`,
          }
        : {}),
    };
  }

  observe(effect: Effect, context: EffectContext): Promise<Observation> {
    return observed(async () => {
      const { scope, conditions } = this.wanted(effect, context);
      const found = await this.find(scope, effect);
      if (!found) {
        return {
          state: 'absent',
          message: `There is no alert policy '${nameOf(effect)}' any more`,
        };
      }
      const all: Difference[] = differences(
        'policy',
        { name: nameOf(effect), incidentPreference: INCIDENT_PREFERENCE },
        found.policy,
      );
      for (const condition of conditions) {
        const field = `condition '${condition.name}'`;
        const same = found.own.filter(({ name }) => name === condition.name);
        if (same.length === 1) {
          all.push(
            ...differences('', condition, same[0]).map(difference => ({
              ...difference,
              field: `${field}: ${difference.field}`,
            })),
          );
        } else {
          all.push({
            field,
            intended: 'once',
            found: same.length === 0 ? 'nothing' : `${same.length} times`,
          });
        }
      }
      const names = new Set(conditions.map(({ name }) => name));
      for (const { name } of found.own) {
        if (!names.has(name)) {
          all.push({
            field: `condition '${name}'`,
            intended: 'nothing',
            found: 'once',
          });
        }
      }
      return fromDifferences(all);
    });
  }

  async remove(
    effect: Effect,
    mode: 'undo' | 'retire',
    context: EffectContext,
  ): Promise<UndoResult> {
    const { scope } = this.wanted(effect, context);
    const { alerts } = this.deps;
    let found: Found | undefined;
    try {
      found = await this.find(scope, effect);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      // It was never made, or nobody can tell which one it is.
      return effect.details.policyId
        ? { outcome: 'manual', instruction: error.message }
        : { outcome: 'done', message: error.message };
    }
    if (!found) return { outcome: 'done', message: 'There was nothing left' };
    const { policy, own, foreign } = found;
    if (mode === 'retire') {
      // Nobody is to be called by what is taken down on purpose.
      await context.progress('switching the alerts off');
      for (const { id, enabled } of own) {
        if (enabled)
          await alerts.updateCondition(scope, id, { enabled: false });
      }
    }
    for (const { id } of own) await alerts.deleteCondition(scope, id);
    if (foreign.length > 0) {
      return {
        outcome: 'manual',
        instruction: `The alert policy '${policy.name}' (${
          policy.id
        }) in New Relic account '${
          scope.account.name
        }' has conditions that Rocket did not make: ${foreign
          .map(({ name }) => name)
          .join(', ')}. Move or delete them, then delete the policy`,
      };
    }
    await alerts.deletePolicy(scope, policy.id);
    return { outcome: 'done' };
  }

  private wanted(effect: Named, { signal }: EffectContext) {
    const intent = this.deps.intents.alertPolicy(effect.intent);
    return {
      scope: this.deps.nerdGraph.scope(intent.account, signal),
      conditions: desiredConditions(intent, markOf(effect)),
    };
  }

  /** @throws ConflictError when the name is taken by somebody else's, or there are two. */
  private async find(scope: Scope, effect: Named): Promise<Found | undefined> {
    const { alerts } = this.deps;
    const mark = markOf(effect);
    const name = nameOf(effect);
    const known = detail({ details: effect.details ?? {} }, 'policyId');
    const candidates = await alerts.policiesNamed(scope, name);
    if (known && !candidates.some(({ id }) => id === known)) {
      const renamed = await alerts.policyById(scope, known);
      if (renamed) candidates.push(renamed);
    }
    const looked = await Promise.all(
      candidates.map(async policy => {
        const conditions = await alerts.conditions(scope, policy.id);
        const own = conditions.filter(condition => isMarked(condition, mark));
        return {
          policy,
          own,
          foreign: conditions.filter(condition => !own.includes(condition)),
        };
      }),
    );
    const where = `in New Relic account '${scope.account.name}'`;
    const ours = looked.filter(
      ({ policy, own, foreign }) =>
        policy.id === known || own.length > 0 || foreign.length === 0,
    );
    if (ours.length > 1) {
      throw new ConflictError(
        `There are ${ours.length} alert policies '${name}' ${where}: ${ours
          .map(({ policy }) => policy.id)
          .join(', ')}. Delete all but one, and repeat this`,
      );
    }
    if (ours.length === 0 && looked.length > 0) {
      throw new ConflictError(
        `The alert policy '${name}' (${looked[0].policy.id}) ${where} was not made for ${effect.subject}. Rename or delete it, or choose another name`,
      );
    }
    return ours[0];
  }
}
