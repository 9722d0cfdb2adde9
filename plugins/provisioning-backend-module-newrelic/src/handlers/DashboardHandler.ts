import { ConflictError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type { Effect, Observation } from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { desiredDashboard } from '../desired/dashboard';
import { differences } from '../differences';
import { isMarked, markOf, nameOf } from '../mark';
import type { FoundDashboard } from '../nerdgraph/entities';
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

type Named = Pick<Effect, 'reference' | 'subject' | 'intent'> & {
  details?: JsonObject;
};

/** A dashboard with the golden signals and objectives of a service; its description carries the mark. */
export class DashboardHandler implements EffectHandler {
  readonly type = 'newrelic.dashboard';
  readonly title = 'New Relic dashboard';
  readonly retireOrder = 24;

  constructor(private readonly deps: HandlerDeps) {}

  parseIntent(intent: JsonObject): JsonObject {
    return this.deps.intents.dashboard(intent) as JsonObject;
  }

  describeUndo(effect: Pick<Effect, 'reference'>): string {
    return `Deletes the dashboard '${nameOf(effect)}'`;
  }

  preflight(request: Named, context: EffectContext) {
    const subject = `dashboard '${nameOf(request)}'`;
    return findings(this.deps, subject, async () => {
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
    });
  }

  async apply(effect: Effect, context: EffectContext): Promise<JsonObject> {
    assertEnabled(this.deps);
    const { scope, dashboard } = this.wanted(effect, context);
    const { entities, nerdGraph } = this.deps;
    const found = await this.find(scope, effect);
    let guid = found?.guid;
    if (!guid) {
      await context.progress(`making the dashboard '${dashboard.name}'`);
      guid = await nerdGraph.create(
        scope,
        `the dashboard '${dashboard.name}'`,
        () => entities.createDashboard(scope, dashboard),
        async () => (await this.find(scope, effect))?.guid,
      );
    } else if (differences('', dashboard, found).length > 0) {
      await entities.updateDashboard(scope, guid, dashboard);
    }
    const { uiBaseUrl } = scope.account;
    return {
      account: scope.account.name,
      guid,
      dashboard: dashboard.name,
      ...(uiBaseUrl ? { url: `${uiBaseUrl}/redirect/entity/${guid}` } : {}),
    };
  }

  observe(effect: Effect, context: EffectContext): Promise<Observation> {
    return observed(async () => {
      const { scope, dashboard } = this.wanted(effect, context);
      const found = await this.find(scope, effect);
      return found
        ? fromDifferences(differences('', dashboard, found))
        : {
            state: 'absent',
            message: `There is no dashboard '${dashboard.name}' any more`,
          };
    });
  }

  async remove(
    effect: Effect,
    _mode: 'undo' | 'retire',
    context: EffectContext,
  ): Promise<UndoResult> {
    const { scope } = this.wanted(effect, context);
    let found: FoundDashboard | undefined;
    try {
      found = await this.find(scope, effect);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      return effect.details.guid
        ? { outcome: 'manual', instruction: error.message }
        : { outcome: 'done', message: error.message };
    }
    if (!found) return { outcome: 'done', message: 'There was nothing left' };
    await this.deps.entities.deleteDashboard(scope, found.guid);
    return { outcome: 'done' };
  }

  private wanted(effect: Named, { signal }: EffectContext) {
    const intent = this.deps.intents.dashboard(effect.intent);
    const scope = this.deps.nerdGraph.scope(intent.account, signal);
    return {
      scope,
      dashboard: desiredDashboard(intent, {
        name: nameOf(effect),
        mark: markOf(effect),
        accountId: scope.account.id,
      }),
    };
  }

  /** By the GUID that the ledger has, else by name and mark: New Relic's search knows a new dashboard late. */
  private async find(
    scope: Scope,
    effect: Named,
  ): Promise<FoundDashboard | undefined> {
    const { entities } = this.deps;
    const known = detail({ details: effect.details ?? {} }, 'guid');
    if (known) {
      const found = await entities.dashboard(scope, known);
      if (found) return found;
    }
    const name = nameOf(effect);
    const named = await entities.dashboardsNamed(scope, name);
    const mark = markOf(effect);
    const ours = named.filter(dashboard => isMarked(dashboard, mark));
    const where = `in New Relic account '${scope.account.name}'`;
    if (ours.length > 1) {
      throw new ConflictError(
        `There are ${ours.length} dashboards '${name}' ${where}: ${ours
          .map(({ guid }) => guid)
          .join(', ')}. Delete all but one, and repeat this`,
      );
    }
    if (ours.length === 0 && named.length > 0) {
      throw new ConflictError(
        `The dashboard '${name}' (${named[0].guid}) ${where} was not made for ${effect.subject}. Rename or delete it, or choose another name`,
      );
    }
    return ours[0];
  }
}
