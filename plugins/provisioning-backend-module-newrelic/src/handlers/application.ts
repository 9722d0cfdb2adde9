import { ConflictError } from '@backstage/errors';
import type {
  Effect,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type { EntitiesApi, FoundEntity } from '../nerdgraph/entities';
import type { Scope } from '../nerdgraph/NerdGraph';
import { pendingOf } from './common';

/**
 * The entity of an application; undefined before its first telemetry.
 *
 * @throws ConflictError when New Relic has several of that name
 */
export async function findApplication(
  entities: EntitiesApi,
  scope: Scope,
  appName: string,
): Promise<FoundEntity | undefined> {
  const found = await entities.applications(scope, [appName]);
  if (found.length > 1) {
    throw new ConflictError(
      `New Relic account '${scope.account.name}' has ${
        found.length
      } applications named '${appName}': ${found
        .map(({ guid }) => guid)
        .join(
          ', ',
        )}. Give the service an appName of its own, or delete the ones that report no more`,
    );
  }
  return found[0];
}

/** What an effect of an application's entity waits for. */
export function waitsFor(appName: string): string {
  return `Waits for the first telemetry of '${appName}': New Relic has no such application yet`;
}

/**
 * Without an entity: waiting for it is as intended, and is no drift; once it
 * was there, its loss is.
 */
export function withoutEntity(
  effect: Pick<Effect, 'details'>,
  appName: string,
): Omit<Observation, 'observedAt'> {
  return pendingOf(effect.details)
    ? { state: 'present', message: waitsFor(appName) }
    : {
        state: 'absent',
        message: `New Relic has no application '${appName}' any more`,
      };
}

export async function applicationFindings(
  entities: EntitiesApi,
  scope: Scope,
  appName: string,
): Promise<PreflightFinding[]> {
  const subject = `application '${appName}'`;
  try {
    const found = await findApplication(entities, scope, appName);
    return [
      {
        reason: found ? 'entity-known' : 'entity-pending',
        level: 'ok',
        subject,
        message: found
          ? 'New Relic has it'
          : 'New Relic does not have it yet; this is done after its first telemetry',
      },
    ];
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    return [
      {
        reason: 'entity-ambiguous',
        level: 'error',
        subject,
        message: error.message,
      },
    ];
  }
}
