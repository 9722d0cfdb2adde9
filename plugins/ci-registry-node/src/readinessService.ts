import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import type {
  LoggerService,
  RootHealthService,
  RootLifecycleService,
} from '@backstage/backend-plugin-api';

/** A check takes at most this; what does not answer is away. */
const CHECK_TIMEOUT_MS = 2_000;

/** What a process needs to be of use: plugins add checks, and the readiness endpoint asks them. */
export interface ReadinessService {
  /** `check` throws when what it looks at is away. It is called for each readiness request, and given two seconds. */
  addCheck(name: string, check: () => Promise<unknown>): void;
  /** Names of the checks that fail now. */
  failing(): Promise<string[]>;
}

export class DefaultReadinessService implements ReadinessService {
  readonly #checks = new Map<string, () => Promise<unknown>>();
  readonly #running = new Map<string, Promise<boolean>>();
  readonly #logger: LoggerService;
  readonly #timeoutMs: number;

  constructor(options: {
    logger: LoggerService;
    /** For one check. Default: 2 s. */
    timeoutMs?: number;
  }) {
    this.#logger = options.logger;
    this.#timeoutMs = options.timeoutMs ?? CHECK_TIMEOUT_MS;
  }

  addCheck(name: string, check: () => Promise<unknown>): void {
    this.#checks.set(name, check);
  }

  async failing(): Promise<string[]> {
    const names = [...this.#checks.keys()];
    const results = await Promise.all(names.map(name => this.#passes(name)));
    return names.filter((_, index) => !results[index]);
  }

  async #passes(name: string): Promise<boolean> {
    // One that hangs is not started a second time: each would hold a connection.
    let running = this.#running.get(name);
    if (!running) {
      running = (async () => this.#checks.get(name)?.())()
        .then(() => true)
        .catch(error => {
          this.#logger.warn(`Not ready: ${name}`, { error: String(error) });
          return false;
        })
        .finally(() => this.#running.delete(name));
      this.#running.set(name, running);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>(resolve => {
      timer = setTimeout(() => resolve(false), this.#timeoutMs);
    });
    try {
      return await Promise.race([running, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One per process. */
export const readinessServiceRef = createServiceRef<ReadinessService>({
  id: 'ci-registry.readiness',
  scope: 'root',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: { logger: coreServices.rootLogger },
      factory: ({ logger }) => new DefaultReadinessService({ logger }),
    }),
});

/** Alive while the process runs; ready between start and shutdown, while no check of `readiness` fails. */
export class CheckedRootHealthService implements RootHealthService {
  readonly #readiness: ReadinessService;
  #state: 'starting' | 'up' | 'stopping' = 'starting';

  constructor(options: {
    lifecycle: RootLifecycleService;
    readiness: ReadinessService;
  }) {
    this.#readiness = options.readiness;
    options.lifecycle.addStartupHook(() => {
      this.#state = 'up';
    });
    options.lifecycle.addBeforeShutdownHook(() => {
      this.#state = 'stopping';
    });
  }

  async getLiveness() {
    return { status: 200, payload: { status: 'ok' } };
  }

  async getReadiness() {
    if (this.#state !== 'up') {
      return {
        status: 503,
        payload: {
          message: `Backend is ${this.#state}`,
          status: 'error',
        },
      };
    }
    const failing = await this.#readiness.failing();
    return failing.length
      ? {
          status: 503,
          payload: {
            message: `Not ready: ${failing.join(', ')}`,
            status: 'error',
          },
        }
      : { status: 200, payload: { status: 'ok' } };
  }
}

/** Replaces Backstage's own, which says ready whatever happens to the database. */
export const checkedRootHealthServiceFactory = createServiceFactory({
  service: coreServices.rootHealth,
  deps: {
    lifecycle: coreServices.rootLifecycle,
    readiness: readinessServiceRef,
  },
  factory: deps => new CheckedRootHealthService(deps),
});
