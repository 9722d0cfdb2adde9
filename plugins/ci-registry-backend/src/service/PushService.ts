import type { LoggerService } from '@backstage/backend-plugin-api';
import { ConflictError, InputError } from '@backstage/errors';
import type { EventsService } from '@backstage/plugin-events-node';
import {
  CI_REGISTRY_CHANGED_TOPIC,
  type PushProblem,
  type PushResponse,
  type PusherIdentity,
  type ValidateResponse,
} from '@rocket/plugin-ci-registry-common';
import type {
  EntityStore,
  PushToStore,
  PushedEntities,
} from '../database/EntityStore';
import type { DeliveryResults, PushParts } from '../database/PushPart';
import { GroupCommit, type ReadyPush } from './GroupCommit';
import type { PushPermit } from './identity/Permit';
import type { ParsedPush, PreparedPush, PushPreparer } from './PushPreparer';

interface Written {
  entities: PushedEntities;
  delivery?: DeliveryResults;
  documents?: PushResponse['documents'];
}

/** Problems in one message; the answer holds them all. */
const MAX_NAMED = 10;

/** A push that cannot be stored; `problems` holds all that is wrong with it. */
export class PushRefused extends InputError {
  constructor(readonly problems: PushProblem[]) {
    const named = problems
      .slice(0, MAX_NAMED)
      .map(({ field, message }) => `${field}: ${message}`);
    const more = problems.length - named.length;
    super(
      `${named.join('; ')}${
        more > 0 ? `; and ${more} more` : ''
      }; nothing was stored`,
    );
  }
}

/** Takes what pipelines push. */
export class PushService {
  readonly #store: EntityStore;
  readonly #preparer: PushPreparer;
  readonly #parts: PushParts;
  readonly #events: EventsService;
  readonly #logger: LoggerService;
  readonly #groups: GroupCommit;
  /** Pushes that are being accepted. */
  #waiting = 0;
  #isAnnouncing = false;

  constructor(options: {
    store: EntityStore;
    preparer: PushPreparer;
    parts: PushParts;
    events: EventsService;
    logger: LoggerService;
  }) {
    this.#store = options.store;
    this.#preparer = options.preparer;
    this.#parts = options.parts;
    this.#events = options.events;
    this.#logger = options.logger;
    this.#groups = new GroupCommit({
      ...options,
      alone: ready => this.#writeAlone(ready),
    });
  }

  /**
   * Stored when it returns; all of it or, when it throws, nothing. `PushRefused` says what is wrong, `ConflictError` who holds
   * an entity.
   */
  async push(
    request: ParsedPush,
    identity: PusherIdentity,
    permit: PushPermit,
  ): Promise<PushResponse> {
    this.#waiting += 1;
    try {
      return await this.#push(request, identity, permit);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #push(
    request: ParsedPush,
    identity: PusherIdentity,
    permit: PushPermit,
  ): Promise<PushResponse> {
    const prepared = await this.#preparer.prepare(request, identity);
    const errors = prepared.problems.filter(p => p.severity === 'error');
    const wrong = errors.filter(problem => !problem.conflict);
    if (wrong.length) {
      throw new PushRefused(
        wrong.map(({ field, message, severity }) => ({
          field,
          message,
          severity,
        })),
      );
    }
    if (errors.length) {
      throw new ConflictError(
        `${errors
          .slice(0, MAX_NAMED)
          .map(({ field, message }) => `${field}: ${message}`)
          .join('; ')}; nothing was stored`,
      );
    }
    const warnings = prepared.problems.map(
      ({ field, message }) => `${field}: ${message}`,
    );
    return this.#write(request, prepared, permit, warnings);
  }

  /** What `push` would say; stores nothing. */
  async validate(
    request: ParsedPush,
    identity: PusherIdentity,
  ): Promise<ValidateResponse> {
    const { problems } = await this.#preparer.prepare(request, identity);
    return {
      valid: problems.every(({ severity }) => severity !== 'error'),
      problems: problems.map(({ field, message, severity }) => ({
        field,
        message,
        severity,
      })),
    };
  }

  async #write(
    request: ParsedPush,
    { context, entities, stored }: PreparedPush,
    permit: PushPermit,
    warnings: string[],
  ): Promise<PushResponse> {
    const { builds = [], deployments = [], documents = [] } = request;
    const push: PushToStore = {
      source: context.source,
      pushedBy: context.identity.subject,
      now: context.now,
      entities,
      complete: request.complete,
      removed: request.removed,
    };
    const reportsNothing =
      builds.length + deployments.length + documents.length === 0;
    let written: Written;
    if (reportsNothing) {
      const ready = { push, permit, stored };
      written = { entities: await this.#groups.write(ready) };
    } else {
      written = await this.#store.transaction(async tx => {
        await permit.record(tx);
        const [ofEntities] = await this.#store.write(tx, [push]);
        return {
          entities: ofEntities,
          delivery:
            builds.length + deployments.length > 0
              ? await this.#parts.delivery?.write(
                  { tx, ...context },
                  { builds, deployments },
                )
              : undefined,
          documents: documents.length
            ? await this.#parts.documents?.write({ tx, ...context }, documents)
            : undefined,
        };
      });
    }
    if (written.entities.changed) {
      this.#wakeCatalog();
    }
    if (written.delivery) {
      this.#afterwards(
        this.#parts.delivery?.committed?.(context, written.delivery),
      );
    }
    if (written.documents) {
      this.#afterwards(
        this.#parts.documents?.committed?.(context, written.documents),
      );
    }
    return {
      entities: entities.map(({ entityRef }, index) => ({
        entityRef,
        outcome: written.entities.outcomes[index],
      })),
      gone: written.entities.gone,
      builds: written.delivery?.builds ?? [],
      deployments: written.delivery?.deployments ?? [],
      documents: written.documents ?? [],
      warnings: [
        ...warnings,
        ...written.entities.kept.map(
          ({ entityRef, reason }) =>
            `removed: ${entityRef} stays as it is, it ${reason}`,
        ),
      ],
    };
  }

  /** One push in a transaction of its own; the short way when it changes nothing. */
  async #writeAlone({
    push,
    permit,
    stored,
  }: ReadyPush): Promise<PushedEntities> {
    const isPlain = !push.complete && !push.removed?.length;
    if (isPlain && (await this.#store.confirm(push, stored))) {
      await permit.record();
      return {
        outcomes: push.entities.map(() => 'unchanged'),
        gone: [],
        kept: [],
        changed: false,
      };
    }
    return this.#store.transaction(async tx => {
      await permit.record(tx);
      const [entities] = await this.#store.write(tx, [push]);
      return entities;
    });
  }

  #afterwards(work: Promise<void> | undefined): void {
    work?.catch(error =>
      this.#logger.warn('Something after a push failed; the push is stored', {
        error: String(error),
      }),
    );
  }

  /** One event for the pushes of a moment; they are stored, so none of them waits for it. */
  #wakeCatalog(): void {
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    // The first of those that were stored together: the others still wait for their answers.
    const waiting = this.#waiting;
    // When all of them got that far, and before the answers are out.
    process.nextTick(async () => {
      this.#isAnnouncing = false;
      try {
        await this.#events.publish({
          topic: CI_REGISTRY_CHANGED_TOPIC,
          eventPayload: { waiting },
        });
      } catch (error) {
        // The catalog looks by itself every few seconds.
        this.#logger.warn('Could not wake the catalog after a push', {
          error: String(error),
        });
      }
    });
  }
}
