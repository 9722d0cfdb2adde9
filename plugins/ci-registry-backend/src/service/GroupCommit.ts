import type { LoggerService } from '@backstage/backend-plugin-api';
import type {
  EntityStore,
  PushToStore,
  PushedEntities,
  StoredEntity,
} from '../database/EntityStore';
import { PushPermit } from './identity/Permit';

/** Pushes in one transaction. */
const MAX_PUSHES = 64;
/** Entities of a push that goes with others; a large one would only hold them up. */
const MAX_ENTITIES = 20;
/** A group does not wait longer for a row that another replica's push holds; each of its pushes then waits for itself. */
const LOCK_TIMEOUT_MS = 250;
/** The next group does not wait longer for a push that has to wait for somebody. */
const MAX_WAIT_MS = 100;

/** A push that is ready to be written. */
export interface ReadyPush {
  push: PushToStore;
  permit: PushPermit;
  /** What was read of its entities before. */
  stored: Map<string, StoredEntity>;
}

interface Waiting extends ReadyPush {
  resolve: (written: PushedEntities) => void;
  reject: (error: unknown) => void;
}

/**
 * Commits the pushes of a moment in one transaction: while one group is being committed, the pushes that arrive gather for the next. A
 * push that comes alone is written at once. Where a group cannot be written as a whole, because one of its pushes conflicts with another
 * writer's or is refused, nothing of it is kept and each push is written on its own, with the answer that it deserves.
 */
export class GroupCommit {
  readonly #store: EntityStore;
  readonly #alone: (ready: ReadyPush) => Promise<PushedEntities>;
  readonly #logger: LoggerService;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(options: {
    store: EntityStore;
    /** Writes one push in a transaction of its own. */
    alone: (ready: ReadyPush) => Promise<PushedEntities>;
    logger: LoggerService;
  }) {
    this.#store = options.store;
    this.#alone = options.alone;
    this.#logger = options.logger;
  }

  /** Stored when it returns; when it throws, nothing is. */
  write(ready: ReadyPush): Promise<PushedEntities> {
    const { push } = ready;
    const size = push.entities.length + (push.removed?.length ?? 0);
    if (size > MAX_ENTITIES) return this.#alone(ready);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...ready, resolve, reject });
      if (!this.#running) this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Those of the same moment come along.
    await new Promise(resolve => setImmediate(resolve));
    while (this.#waiting.length) {
      const work = this.#commit(this.#next());
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        work,
        new Promise(resolve => {
          timer = setTimeout(resolve, MAX_WAIT_MS);
        }),
      ]);
      clearTimeout(timer);
    }
    this.#running = false;
  }

  /** Of those that wait, the ones that have nothing to do with each other, in their order. */
  #next(): Waiting[] {
    const group: Waiting[] = [];
    const left: Waiting[] = [];
    const taken = new Set<string>();
    for (const one of this.#waiting) {
      const { source, entities, removed = [] } = one.push;
      const names = [
        // Not an entity ref: it has a space.
        `repository ${source.repository}`,
        ...entities.map(item => item.entityRef),
        ...removed,
      ];
      const isFree = names.every(name => !taken.has(name));
      // What comes later for the same repository or entity stays behind this one.
      names.forEach(name => taken.add(name));
      (isFree && group.length < MAX_PUSHES ? group : left).push(one);
    }
    this.#waiting = left;
    return group;
  }

  async #commit(group: Waiting[]): Promise<void> {
    if (group.length > 1) {
      try {
        const written = await this.#store.impatient(
          LOCK_TIMEOUT_MS,
          async tx => {
            await PushPermit.recordAll(
              group.map(({ permit }) => permit),
              tx,
            );
            return this.#store.write(
              tx,
              group.map(({ push }) => push),
            );
          },
        );
        group.forEach(({ resolve }, index) => resolve(written[index]));
        return;
      } catch (error) {
        this.#logger.debug(
          `${group.length} pushes could not be stored together, so each is stored on its own`,
          { error: String(error) },
        );
      }
    }
    await Promise.all(
      group.map(one => this.#alone(one).then(one.resolve, one.reject)),
    );
  }
}
