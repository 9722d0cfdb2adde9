import { ConflictError, NotFoundError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { NewRelicError } from '@rocket/newrelic-node';
import type {
  Effect,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type { Difference } from '../differences';
import type { IntentReader } from '../intents';
import type { AlertsApi } from '../nerdgraph/alerts';
import type { EntitiesApi } from '../nerdgraph/entities';
import type { NerdGraph } from '../nerdgraph/NerdGraph';

/** What every handler works with. */
export interface HandlerDeps {
  nerdGraph: NerdGraph;
  alerts: AlertsApi;
  entities: EntitiesApi;
  intents: IntentReader;
  /** Why nothing can be made; undefined when it can. */
  disabled?: string;
}

/** Field of `details` that says what an effect waits for; absent when it waits for nothing. */
export const PENDING = 'pending';

export function pendingOf(details: JsonObject): string | undefined {
  const value = details[PENDING];
  return typeof value === 'string' ? value : undefined;
}

/** A text of `details`, which may be of any version of this handler. */
export function detail(
  { details }: Pick<Effect, 'details'>,
  name: string,
): string | undefined {
  const value = details[name];
  return typeof value === 'string' ? value : undefined;
}

/** Turns a look into an observation: what New Relic does not answer is unknown, never absent. */
export async function observed(
  look: () => Promise<Omit<Observation, 'observedAt'>>,
): Promise<Observation> {
  const observedAt = () => new Date().toISOString();
  try {
    return { ...(await look()), observedAt: observedAt() };
  } catch (error) {
    if (error instanceof NewRelicError || error instanceof NotFoundError) {
      return {
        state: 'unknown',
        message: error.message,
        observedAt: observedAt(),
      };
    }
    throw error;
  }
}

export function fromDifferences(
  found: Difference[],
): Omit<Observation, 'observedAt'> {
  return found.length > 0
    ? {
        state: 'drifted',
        differences: found,
        message: `${found.length} ${
          found.length === 1 ? 'thing is' : 'things are'
        } not as intended; apply again to have it so`,
      }
    : { state: 'present' };
}

/** @throws ConflictError when nothing may be made */
export function assertEnabled({ disabled }: Pick<HandlerDeps, 'disabled'>) {
  if (disabled) {
    throw new ConflictError(`Nothing can be made in New Relic: ${disabled}`);
  }
}

/** Findings of a look before a run; what New Relic does not answer stops the run. */
export async function findings(
  deps: Pick<HandlerDeps, 'disabled'>,
  subject: string,
  look: () => Promise<PreflightFinding[]>,
): Promise<PreflightFinding[]> {
  if (deps.disabled) {
    return [
      {
        reason: 'newrelic-disabled',
        // The step that would make it is skipped.
        level: 'warning',
        subject,
        message: `Nothing is made in New Relic: ${deps.disabled}`,
      },
    ];
  }
  try {
    return await look();
  } catch (error) {
    if (error instanceof NotFoundError) {
      return [
        {
          reason: 'account-unknown',
          level: 'error',
          subject,
          message: error.message,
        },
      ];
    }
    if (!(error instanceof NewRelicError)) throw error;
    const refused =
      error.kind === 'authentication' || error.errorClass === 'ACCESS_DENIED';
    return [
      {
        reason: refused ? 'credentials-insufficient' : 'newrelic-unavailable',
        level: 'error',
        subject,
        message: refused
          ? error.message
          : `${error.message}; try again when New Relic answers`,
      },
    ];
  }
}

export function ok(subject: string, message: string): PreflightFinding {
  return { reason: 'name-free', level: 'ok', subject, message };
}

export function taken(subject: string, message: string): PreflightFinding {
  return { reason: 'name-taken', level: 'error', subject, message };
}
