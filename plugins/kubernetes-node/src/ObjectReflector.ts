import { setTimeout as sleep } from 'node:timers/promises';
import { backOffMs } from './caller';
import type {
  KubernetesObject,
  ObjectChange,
  ObjectWatch,
  WatchOptions,
} from './types';

const BACKOFF_CAP_MS = 30_000;
const CONNECT_MS = 15_000;
const RESYNC_MS = 300_000;
const QUIET_MS = 150_000;

/** The cluster, as a reflector uses it. */
export interface ObjectSource<T extends KubernetesObject> {
  list(signal: AbortSignal): Promise<{ items: T[]; resourceVersion: string }>;
  open(
    resourceVersion: string,
    handlers: {
      connectMs: number;
      timeoutSeconds: number;
      onEvent(type: string, object: any): void;
      onEnd(error?: Error & { statusCode?: number }): void;
    },
  ): Promise<{ abort(): void }>;
  /** An error that is safe to show. */
  failure(error: unknown): Error;
}

const keyOf = ({ metadata }: KubernetesObject) =>
  `${metadata.namespace ?? ''}/${metadata.name}`;

/**
 * Lists, then watches from there, for ever: a watch that ends in order goes on
 * where it was; after everything else (a broken or dead connection, an error in
 * the stream, a version that is too old) and every `resyncMs` it lists anew and
 * reports the differences.
 */
export class ObjectReflector<T extends KubernetesObject>
  implements ObjectWatch<T>
{
  readonly synced: Promise<void>;
  readonly #source: ObjectSource<T>;
  readonly #options: WatchOptions<T>;
  readonly #stop = new AbortController();
  readonly #objects = new Map<string, T>();
  readonly #ended: Promise<void>;
  #markSynced!: () => void;
  #failures = 0;

  constructor(source: ObjectSource<T>, options: WatchOptions<T>) {
    this.#source = source;
    this.#options = options;
    this.synced = new Promise((resolve, reject) => {
      this.#markSynced = resolve;
      this.#stop.signal.addEventListener('abort', () =>
        reject(new Error('The watch was stopped before its first list')),
      );
    });
    this.synced.catch(() => {});
    this.#ended = this.#run();
  }

  items(): T[] {
    return [...this.#objects.values()];
  }

  get(name: string, namespace = ''): T | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  get #stopped() {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const { items, resourceVersion } = await this.#source.list(
          this.#stop.signal,
        );
        if (this.#stopped) return;
        this.#replace(items);
        this.#failures = 0;
        this.#markSynced();
        this.#tell(() => this.#options.onSync?.());
        await this.#follow(resourceVersion);
      } catch (error) {
        if (this.#stopped) return;
        this.#failures += 1;
        const failure = this.#source.failure(error);
        this.#tell(() => this.#options.onError?.(failure, this.#failures));
        await this.#pause(this.#failures);
      }
    }
  }

  /** Watches until it is time to list anew; throws when something broke. */
  async #follow(from: string): Promise<void> {
    const until = Date.now() + (this.#options.resyncMs ?? RESYNC_MS);
    let version: string | undefined = from;
    while (version !== undefined && !this.#stopped && Date.now() < until) {
      const began = Date.now();
      version = await this.#watchOnce(version, until - began);
      // A server that ends watches at once must not be asked without end.
      if (Date.now() - began < 1000 && Date.now() < until) await this.#pause(2);
    }
  }

  /** One connection. @returns the version to go on from; undefined to list anew */
  async #watchOnce(from: string, forMs: number): Promise<string | undefined> {
    let version: string | undefined = from;
    // Aborted with the first thing that ends it; whatever comes later is ignored.
    const over = new AbortController();
    try {
      return await new Promise<string | undefined>((resolve, reject) => {
        const end = (error?: unknown) => {
          over.abort();
          if (error) reject(error);
          else resolve(version);
        };
        const fail = (code: string) =>
          end(Object.assign(new Error('the watch failed'), { code }));
        const time = setTimeout(end, forMs);
        const quietMs = this.#options.quietMs ?? QUIET_MS;
        // Whether the socket is dead or there was nothing to say, the next list finds out.
        const quiet = setTimeout(() => {
          version = undefined;
          end();
        }, quietMs);
        over.signal.addEventListener('abort', () => {
          clearTimeout(time);
          clearTimeout(quiet);
        });
        this.#stop.signal.addEventListener('abort', () => end(), {
          signal: over.signal,
        });
        this.#source
          .open(from, {
            connectMs: CONNECT_MS,
            timeoutSeconds: Math.max(1, Math.ceil(forMs / 1000)),
            onEvent: (type, object) => {
              if (over.signal.aborted) return;
              quiet.refresh();
              if (type === 'ERROR') {
                fail(`HTTP_${Number(object?.code) || 'ERROR'}`);
                return;
              }
              if (type !== 'BOOKMARK') this.#take(type, object);
              version = object?.metadata?.resourceVersion ?? version;
            },
            onEnd: error => {
              if (over.signal.aborted) return;
              if (error?.statusCode) fail(`HTTP_${error.statusCode}`);
              else end(error);
            },
          })
          .then(connection => {
            const abort = () => connection.abort();
            // It may have been given up while it was being made.
            if (over.signal.aborted) abort();
            else over.signal.addEventListener('abort', abort);
          }, end);
      });
    } finally {
      over.abort();
    }
  }

  #replace(items: T[]): void {
    const now = new Map(items.map(item => [keyOf(item), item]));
    for (const [key, object] of this.#objects) {
      const next = now.get(key);
      // Another uid: the one before went, unseen.
      if (!next || next.metadata.uid !== object.metadata.uid)
        this.#set('deleted', object);
    }
    for (const object of items) {
      const known = this.#objects.get(keyOf(object));
      if (!known) this.#set('added', object);
      else if (
        known.metadata.resourceVersion !== object.metadata.resourceVersion
      )
        this.#set('modified', object);
    }
  }

  #take(type: string, object: T): void {
    const known = this.#objects.get(keyOf(object));
    if (type === 'DELETED') {
      if (known) this.#set('deleted', object);
      return;
    }
    if (known?.metadata.resourceVersion === object.metadata.resourceVersion)
      return;
    this.#set(known ? 'modified' : 'added', object);
  }

  #set(type: ObjectChange['type'], object: T): void {
    if (type === 'deleted') this.#objects.delete(keyOf(object));
    else this.#objects.set(keyOf(object), object);
    this.#tell(() => this.#options.onChange?.({ type, object }));
  }

  /** A listener's mistake does not end the watch. */
  #tell(listener: () => void): void {
    if (this.#stopped) return;
    try {
      listener();
    } catch (error) {
      try {
        this.#options.onError?.(error as Error, this.#failures);
      } catch {
        // Nobody is left to tell.
      }
    }
  }

  async #pause(attempt: number): Promise<void> {
    const ms = backOffMs(attempt + 1, 0.5 + Math.random() / 2, BACKOFF_CAP_MS);
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
