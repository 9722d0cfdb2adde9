import type { JsonObject } from '@backstage/types';
import type { Effect, Observation } from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { desiredServiceLevels } from '../desired/serviceLevels';
import { type Difference, differences } from '../differences';
import { isMarked, markOf } from '../mark';
import type { Indicator } from '../nerdgraph/entities';
import {
  applicationFindings,
  findApplication,
  waitsFor,
  withoutEntity,
} from './application';
import {
  assertEnabled,
  detail,
  findings,
  fromDifferences,
  type HandlerDeps,
  observed,
  PENDING,
} from './common';

type Named = Pick<Effect, 'subject' | 'intent'>;

/** Service levels of a service, one per objective, on its application; they wait for its first telemetry. */
export class ServiceLevelsHandler implements EffectHandler {
  readonly type = 'newrelic.service-levels';
  readonly title = 'New Relic service levels';
  readonly retireOrder = 22;

  constructor(private readonly deps: HandlerDeps) {}

  parseIntent(intent: JsonObject): JsonObject {
    return this.deps.intents.serviceLevels(intent) as JsonObject;
  }

  describeUndo({ intent }: Pick<Effect, 'intent'>): string {
    return `Deletes Rocket's service levels of the application '${intent.appName}'`;
  }

  preflight(request: Named, context: EffectContext) {
    const { appName } = this.deps.intents.serviceLevels(request.intent);
    return findings(this.deps, `application '${appName}'`, async () =>
      applicationFindings(
        this.deps.entities,
        this.wanted(request, context).scope,
        appName,
      ),
    );
  }

  async apply(effect: Effect, context: EffectContext): Promise<JsonObject> {
    assertEnabled(this.deps);
    const { scope, appName, mark, levels } = this.wanted(effect, context);
    const { entities, nerdGraph } = this.deps;
    const application = await findApplication(entities, scope, appName);
    const account = scope.account.name;
    if (!application) return { account, [PENDING]: waitsFor(appName) };

    const { guid } = application;
    const own = (await entities.indicators(scope, guid)).filter(indicator =>
      isMarked(indicator, mark),
    );
    const made: Record<string, string> = {};
    for (const level of levels) {
      const [existing, ...copies] = own.filter(
        ({ name }) => name === level.name,
      );
      for (const copy of copies) await entities.deleteLevel(scope, copy.guid);
      if (!existing) {
        await context.progress(`making the service level '${level.name}'`);
        const created = await nerdGraph.create<Indicator>(
          scope,
          `the service level '${level.name}'`,
          () => entities.createLevel(scope, guid, level),
          async () =>
            (
              await entities.indicators(scope, guid)
            ).find(
              ({ name, description }) =>
                name === level.name && description === level.description,
            ),
        );
        made[level.name] = created.guid;
      } else {
        if (differences('', level, existing).length > 0) {
          await entities.updateLevel(scope, existing.guid, level);
        }
        made[level.name] = existing.guid;
      }
    }
    for (const indicator of own) {
      if (!(indicator.name in made)) {
        await entities.deleteLevel(scope, indicator.guid);
      }
    }
    const { uiBaseUrl } = scope.account;
    return {
      account,
      entity: guid,
      serviceLevels: made,
      ...(uiBaseUrl ? { url: `${uiBaseUrl}/redirect/entity/${guid}` } : {}),
    };
  }

  observe(effect: Effect, context: EffectContext): Promise<Observation> {
    return observed(async () => {
      const { scope, appName, mark, levels } = this.wanted(effect, context);
      const { entities } = this.deps;
      const application = await findApplication(entities, scope, appName);
      if (!application) return withoutEntity(effect, appName);
      const own = (await entities.indicators(scope, application.guid)).filter(
        indicator => isMarked(indicator, mark),
      );
      if (own.length === 0) {
        return {
          state: 'absent',
          message: `The application '${appName}' has no service level of Rocket's`,
        };
      }
      const all: Difference[] = levels.flatMap(level => {
        const field = `service level '${level.name}'`;
        const same = own.filter(({ name }) => name === level.name);
        return same.length === 1
          ? differences('', level, same[0]).map(difference => ({
              ...difference,
              field: `${field}: ${difference.field}`,
            }))
          : [
              {
                field,
                intended: 'once',
                found: same.length === 0 ? 'nothing' : `${same.length} times`,
              },
            ];
      });
      for (const { name } of own) {
        if (!levels.some(level => level.name === name)) {
          all.push({
            field: `service level '${name}'`,
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
    _mode: 'undo' | 'retire',
    context: EffectContext,
  ): Promise<UndoResult> {
    const { scope, appName, mark } = this.wanted(effect, context);
    const { entities } = this.deps;
    // The application may have got a namesake since; the mark tells whose they are.
    const known = detail(effect, 'entity');
    const guids = known
      ? [known]
      : (await entities.applications(scope, [appName])).map(app => app.guid);
    for (const guid of guids) {
      for (const indicator of await entities.indicators(scope, guid)) {
        if (isMarked(indicator, mark)) {
          await entities.deleteLevel(scope, indicator.guid);
        }
      }
    }
    return { outcome: 'done' };
  }

  private wanted(effect: Named, { signal }: EffectContext) {
    const intent = this.deps.intents.serviceLevels(effect.intent);
    const mark = markOf(effect);
    return {
      scope: this.deps.nerdGraph.scope(intent.account, signal),
      appName: intent.appName,
      mark,
      levels: desiredServiceLevels(intent, mark),
    };
  }
}
