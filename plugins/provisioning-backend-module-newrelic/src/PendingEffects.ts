import type {
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type { Effect } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { pendingOf } from './handlers/common';
import type { EntitiesApi } from './nerdgraph/entities';
import type { NerdGraph } from './nerdgraph/NerdGraph';

/** Effects that wait for an application's entity. */
const TYPES = ['newrelic.tags', 'newrelic.service-levels'];
/** Names in one search. */
const BATCH = 50;
/** Effects that one round makes; the others have their turn in the next. */
const MOST_PER_ROUND = 50;

/**
 * Makes what waits for the first telemetry of a service as soon as New Relic
 * has its entity. A round costs one search per account and fifty names, however
 * many effects wait, and the mutations of those that wait no more.
 */
export class PendingEffects {
  readonly #provisioning: Pick<
    ProvisioningService,
    'listEffects' | 'observeEffect' | 'requestEffect'
  >;
  readonly #nerdGraph: NerdGraph;
  readonly #entities: EntitiesApi;
  readonly #credentials: () => Promise<BackstageCredentials>;
  readonly #logger: LoggerService;

  constructor(deps: {
    provisioning: Pick<
      ProvisioningService,
      'listEffects' | 'observeEffect' | 'requestEffect'
    >;
    nerdGraph: NerdGraph;
    entities: EntitiesApi;
    /** Of the plugin itself. */
    credentials: () => Promise<BackstageCredentials>;
    logger: LoggerService;
  }) {
    this.#provisioning = deps.provisioning;
    this.#nerdGraph = deps.nerdGraph;
    this.#entities = deps.entities;
    this.#credentials = deps.credentials;
    this.#logger = deps.logger;
  }

  /** One round. Answers how many effects were made; what fails is logged and tried again in the next. */
  async run(signal?: AbortSignal): Promise<number> {
    const credentials = await this.#credentials();
    const listed = await Promise.all(
      TYPES.map(type =>
        this.#provisioning.listEffects(
          { type, state: ['live'] },
          { credentials },
        ),
      ),
    );
    const waiting = listed.flat().filter(({ details }) => pendingOf(details));
    let made = 0;
    for (const effect of await this.#ready(waiting, signal)) {
      if (signal?.aborted || made === MOST_PER_ROUND) break;
      try {
        // The ledger makes again only what it knows to be absent.
        await this.#provisioning.observeEffect(effect.id, { credentials });
        const { type, reference, subject, owner, environment, run, step } =
          effect;
        await this.#provisioning.requestEffect(
          {
            type,
            reference,
            subject,
            owner,
            ...(environment ? { environment } : {}),
            run,
            step,
            intent: effect.intent,
          },
          { credentials },
        );
        made += 1;
      } catch (error) {
        this.#logger.warn(
          `${effect.type} ${effect.reference} could not be made yet: ${
            toError(error).message
          }`,
        );
      }
    }
    return made;
  }

  /** Those whose application New Relic has by now. */
  async #ready(waiting: Effect[], signal?: AbortSignal): Promise<Effect[]> {
    const byAccount = new Map<string, Effect[]>();
    for (const effect of waiting) {
      const account = String(effect.intent.account ?? '');
      byAccount.set(account, [...(byAccount.get(account) ?? []), effect]);
    }
    const ready: Effect[] = [];
    for (const [account, effects] of byAccount) {
      const names = [
        ...new Set(effects.map(({ intent }) => String(intent.appName))),
      ];
      try {
        const scope = this.#nerdGraph.scope(account || undefined, signal);
        const known = new Set<string>();
        for (let i = 0; i < names.length; i += BATCH) {
          const found = await this.#entities.applications(
            scope,
            names.slice(i, i + BATCH),
          );
          found.forEach(({ name }) => known.add(name));
        }
        ready.push(
          ...effects.filter(({ intent }) => known.has(String(intent.appName))),
        );
      } catch (error) {
        this.#logger.warn(
          `Applications of ${
            effects.length
          } waiting effects could not be looked for: ${toError(error).message}`,
        );
      }
    }
    return ready;
  }
}
