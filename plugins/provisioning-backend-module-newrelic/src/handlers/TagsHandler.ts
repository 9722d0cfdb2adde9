import type { JsonObject } from '@backstage/types';
import type { Effect, Observation } from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import type { FoundEntity } from '../nerdgraph/entities';
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

/** Tags of a service's application: owner, critical path and the like; they wait for its first telemetry. */
export class TagsHandler implements EffectHandler {
  readonly type = 'newrelic.tags';
  readonly title = 'New Relic tags';
  readonly retireOrder = 26;

  constructor(private readonly deps: HandlerDeps) {}

  parseIntent(intent: JsonObject): JsonObject {
    return this.deps.intents.tags(intent) as JsonObject;
  }

  describeUndo({ intent }: Pick<Effect, 'intent'>): string {
    return `Takes the tags ${Object.keys(intent.tags as object).join(
      ', ',
    )} with these values off the application '${
      intent.appName
    }'; other values stay`;
  }

  preflight(request: Pick<Effect, 'intent'>, context: EffectContext) {
    const { appName } = this.deps.intents.tags(request.intent);
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
    const { scope, appName, tags } = this.wanted(effect, context);
    const { entities } = this.deps;
    const application = await findApplication(entities, scope, appName);
    const account = scope.account.name;
    if (!application) return { account, [PENDING]: waitsFor(appName) };
    const missing = Object.entries(tags).filter(
      ([key, value]) => !valuesOf(application, key).includes(value),
    );
    if (missing.length > 0) {
      await entities.addTags(
        scope,
        application.guid,
        missing.map(([key, value]) => ({ key, values: [value] })),
      );
    }
    // A value that an earlier intent put there is taken off again.
    const stale = Object.entries(addedOf(effect)).filter(
      ([key, value]) => tags[key] !== value,
    );
    if (stale.length > 0) {
      await entities.deleteTagValues(
        scope,
        application.guid,
        stale.map(([key, value]) => ({ key, value })),
      );
    }
    return {
      account,
      entity: application.guid,
      added: {
        ...Object.fromEntries(
          Object.entries(addedOf(effect)).filter(
            ([key, value]) => tags[key] === value,
          ),
        ),
        ...Object.fromEntries(missing),
      },
    };
  }

  observe(effect: Effect, context: EffectContext): Promise<Observation> {
    return observed(async () => {
      const { scope, appName, tags } = this.wanted(effect, context);
      const application = await findApplication(
        this.deps.entities,
        scope,
        appName,
      );
      if (!application) return withoutEntity(effect, appName);
      const missing = Object.entries(tags).flatMap(([key, value]) => {
        const found = valuesOf(application, key);
        return found.includes(value)
          ? []
          : [
              {
                field: `tag '${key}'`,
                intended: value,
                found: found.join(', ') || 'nothing',
              },
            ];
      });
      return missing.length === Object.keys(tags).length
        ? {
            state: 'absent',
            message: `The application '${appName}' has none of the tags`,
          }
        : fromDifferences(missing);
    });
  }

  async remove(
    effect: Effect,
    _mode: 'undo' | 'retire',
    context: EffectContext,
  ): Promise<UndoResult> {
    const { scope, appName, tags } = this.wanted(effect, context);
    const { entities } = this.deps;
    const known = detail(effect, 'entity');
    const found = known
      ? [await entities.entity(scope, known)]
      : await entities.applications(scope, [appName]);
    const [application] = found;
    // Of several of one name none was ever tagged.
    if (!application || found.length > 1) {
      return { outcome: 'done', message: 'There was nothing left' };
    }
    // What was there before Rocket came, and what the agent's labels say, stays.
    const ours = Object.entries(known ? addedOf(effect) : tags).filter(
      ([key, value]) => valuesOf(application, key).includes(value),
    );
    if (ours.length > 0) {
      await entities.deleteTagValues(
        scope,
        application.guid,
        ours.map(([key, value]) => ({ key, value })),
      );
    }
    return { outcome: 'done' };
  }

  private wanted(
    effect: Pick<Effect, 'intent'>,
    { signal }: Pick<EffectContext, 'signal'>,
  ) {
    const { account, appName, tags } = this.deps.intents.tags(effect.intent);
    return { scope: this.deps.nerdGraph.scope(account, signal), appName, tags };
  }
}

function valuesOf({ tags }: FoundEntity, key: string): string[] {
  return tags.filter(tag => tag.key === key).flatMap(({ values }) => values);
}

/** The tags that Rocket added itself. */
function addedOf({ details }: Effect): Record<string, string> {
  const { added } = details;
  return typeof added === 'object' && added !== null && !Array.isArray(added)
    ? (added as Record<string, string>)
    : {};
}
