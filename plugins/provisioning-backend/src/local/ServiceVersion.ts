import type { RuntimeChange } from '@rocket/plugin-provisioning-node';
import { probe, SupervisedProcess } from './SupervisedProcess';

/** What makes one instance; it listens on `port`. */
export type InstanceFactory = (
  port: number,
  onChange: (change: RuntimeChange) => void,
) => SupervisedProcess;

interface Instance {
  port: number;
  process: SupervisedProcess;
  /** What it last told of itself. */
  state: RuntimeChange['state'];
  message?: string;
}

/** One version of a service: its instances, each a process with a port of its own. */
export class ServiceVersion {
  readonly name: string;
  readonly commit: string;
  readonly #ready: string;
  readonly #factory: InstanceFactory;
  readonly #ports: {
    take(): Promise<number>;
    giveBack(port: number): void;
  };
  #instances: Instance[] = [];
  #listener: (change: RuntimeChange, serving: number[]) => void = () => {};

  constructor(options: {
    name: string;
    commit: string;
    /** Path that answers 2xx when an instance is ready. */
    ready: string;
    factory: InstanceFactory;
    ports: { take(): Promise<number>; giveBack(port: number): void };
  }) {
    this.name = options.name;
    this.commit = options.commit;
    this.#ready = options.ready;
    this.#factory = options.factory;
    this.#ports = options.ports;
  }

  /** Ports of all instances. */
  get ports(): number[] {
    return this.#instances.map(instance => instance.port);
  }

  /** Ports of the instances that can take requests; all of them when none can, so that somebody answers. */
  get serving(): number[] {
    const well = this.#instances.filter(
      instance => instance.state === 'healthy',
    );
    return (well.length > 0 ? well : this.#instances).map(({ port }) => port);
  }

  /** False once every instance was stopped or given up. */
  get active(): boolean {
    return this.#instances.some(instance => instance.process.active);
  }

  /** How many instances are ready as far as is known. */
  get healthy(): number {
    return this.#instances.filter(({ state }) => state === 'healthy').length;
  }

  get size(): number {
    return this.#instances.length;
  }

  /** One listener; it hears of the version as a whole and which ports can serve. */
  listen(listener: (change: RuntimeChange, serving: number[]) => void): void {
    this.#listener = listener;
  }

  /** Starts instances until there are `count`; answers when they are ready. Of those that it started, none is left when one does not get there. */
  async grow(count: number, signal: AbortSignal): Promise<void> {
    const added: Instance[] = [];
    while (this.#instances.length + added.length < count) {
      const port = await this.#ports.take();
      const instance: Instance = {
        port,
        state: 'healthy',
        process: this.#factory(port, change => this.#changed(instance, change)),
      };
      added.push(instance);
    }
    const starts = await Promise.allSettled(
      added.map(instance => instance.process.start(signal)),
    );
    const failed = starts.find(start => start.status === 'rejected');
    if (failed) {
      await this.#end(added);
      throw (failed as PromiseRejectedResult).reason;
    }
    this.#instances.push(...added);
  }

  /** Takes the newest instances out until `count` are left; the caller ends them with what this answers, when nothing is under way there. */
  shrink(count: number): { ports: number[]; end(): Promise<void> } {
    const gone = this.#instances.splice(count);
    return {
      ports: gone.map(instance => instance.port),
      end: () => this.#end(gone),
    };
  }

  /** The first instance that does not answer as ready now, in words. */
  async check(): Promise<string | undefined> {
    const answers = await Promise.all(
      this.#instances.map(async instance => {
        const answer =
          instance.state === 'healthy'
            ? await probe(`http://127.0.0.1:${instance.port}${this.#ready}`)
            : undefined;
        // What it told of its end meanwhile says more than that nothing answered.
        return instance.state === 'healthy'
          ? answer
          : instance.message ?? `is ${instance.state}`;
      }),
    );
    return answers.find(answer => answer !== 'ready');
  }

  async stop(): Promise<void> {
    await this.#end(this.#instances);
  }

  async #end(instances: Instance[]) {
    await Promise.all(instances.map(({ process }) => process.stop()));
    for (const { port } of instances) this.#ports.giveBack(port);
  }

  #changed(instance: Instance, change: RuntimeChange) {
    instance.state = change.state;
    instance.message = change.message;
    if (!this.#instances.includes(instance)) return;
    const bad = this.#instances.filter(({ state }) => state !== 'healthy');
    const all = this.#instances.length;
    const whole =
      all === 1 || bad.length === 0 || bad.length === all
        ? change
        : {
            ...change,
            state: 'unhealthy' as const,
            message: `${bad.length} of ${all} instances: ${
              bad[0].message ?? bad[0].state
            }`,
          };
    this.#listener(whole, this.serving);
  }
}
