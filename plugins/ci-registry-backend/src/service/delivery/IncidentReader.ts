import type { AuthService, LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type { DoraIncident } from '@rocket/plugin-ci-registry-common';
import type { CriticalPathsService } from '@rocket/plugin-critical-paths-node';

/** Components of one question. */
const BATCH = 1000;
/** A board waits no longer for figures that it can do without. */
const TIMEOUT_MS = 5_000;

/** Incidents by component; undefined while the critical paths do not answer. */
export type KnownIncidents = Map<string, DoraIncident[]> | undefined;

/** Reads the incidents that the critical paths know. */
export class IncidentReader {
  readonly #criticalPaths: Pick<CriticalPathsService, 'readIncidents'>;
  readonly #auth: AuthService;
  readonly #logger: LoggerService;

  constructor(options: {
    criticalPaths: Pick<CriticalPathsService, 'readIncidents'>;
    auth: AuthService;
    logger: LoggerService;
  }) {
    this.#criticalPaths = options.criticalPaths;
    this.#auth = options.auth;
    this.#logger = options.logger;
  }

  /** Never rejects. Times in milliseconds since 1970. */
  async read(
    components: string[],
    from: number,
    to: number,
  ): Promise<KnownIncidents> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        this.#read(components, from, to),
        new Promise<never>((_, reject) => {
          timer = setTimeout(
            () => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)),
            TIMEOUT_MS,
          );
        }),
      ]);
    } catch (error) {
      this.#logger.warn(
        `Incidents could not be read from the critical paths: ${
          toError(error).message
        }`,
      );
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(
    components: string[],
    from: number,
    to: number,
  ): Promise<Map<string, DoraIncident[]>> {
    const found = new Map<string, DoraIncident[]>();
    const credentials = await this.#auth.getOwnServiceCredentials();
    for (let i = 0; i < components.length; i += BATCH) {
      const { incidents } = await this.#criticalPaths.readIncidents(
        {
          entityRefs: components.slice(i, i + BATCH),
          from: new Date(from).toISOString(),
          to: new Date(to).toISOString(),
        },
        { credentials },
      );
      for (const { entityRef, closedAt, secondsToRecover } of incidents) {
        const list = found.get(entityRef) ?? [];
        found.set(entityRef, list);
        list.push({
          closedAt: closedAt === null ? undefined : Date.parse(closedAt),
          seconds: secondsToRecover ?? undefined,
        });
      }
    }
    return found;
  }
}
