import { mockServices } from '@backstage/backend-test-utils';
import {
  parseExperiment,
  type CriterionMinute,
  type Experiment,
  type Run,
} from '@rocket/plugin-chaos-common';
import type {
  ChaosEngine,
  EngineRun,
  InjectionState,
  RemovalResult,
} from '@rocket/plugin-chaos-node';
import type { RunStore } from '../runs/RunStore';
import type { SteadyState } from '../runs/SteadyState';
import { RunKeeper } from '../runs/RunKeeper';

const MINUTE = 60_000;

/** Tuesday, 11:00 in Berlin. */
export const START = Date.parse('2026-11-24T10:00:00Z');
export const PATH = 'criticalpath:default/card-authorization';

export function experiment(change: object = {}): Experiment {
  return parseExperiment({
    title: 'The ledger is down',
    hypothesis: {
      text: 'Cards are still authorized',
      criteria: [{ criticalPath: PATH, sli: 'availability', bound: 99 }],
    },
    fault: { type: 'stop' },
    target: {
      criticalPath: PATH,
      step: 'book',
      component: 'component:default/ledger',
      environment: 'staging',
    },
    blastRadius: { percent: 50 },
    durationSeconds: 120,
    recovery: { withinSeconds: 300, stableMinutes: 2 },
    ...change,
  });
}

/**
 * A world with a clock of its own: time passes only while somebody sleeps.
 * The fault is what the engine holds; the SLI is bad while it is there.
 */
export class World implements SteadyState {
  time = START;
  /** Runs whose fault is in place. */
  readonly faults = new Map<string, { since: number; until: number }>();
  /** Every fault that ever was, with its times. */
  readonly history: { run: string; from: number; to?: number }[] = [];
  /** Share of bad events while a fault is in place, in percent. */
  damage = 0;
  /** Time after the end of a fault for which the damage lasts. */
  slowness = 0;
  /** No figures from then on. */
  blindFrom = Infinity;
  burning: string[] = [];
  alertAt?: number;
  /** Answers of the engine that replace the honest ones. */
  engineSays: {
    inject?: () => Promise<void>;
    observe?: (run: EngineRun) => Promise<InjectionState>;
    remove?: (run: EngineRun) => Promise<RemovalResult>;
  } = {};
  /** Called when time passes. */
  onTick?: (time: number) => void | Promise<void>;
  readonly told: string[] = [];

  readonly engine: ChaosEngine = {
    id: 'test',
    title: 'Test engine',
    capabilities: async () => ['stop'],
    plan: async () => ({ targets: [], running: 2 }),
    inject: async run => {
      if (this.engineSays.inject) {
        await this.engineSays.inject();
        return;
      }
      const seconds = run.experiment.durationSeconds ?? 0;
      this.faults.set(run.id, {
        since: this.time,
        until: this.time + seconds * 1000,
      });
      this.history.push({ run: run.id, from: this.time });
    },
    observe: async run => {
      if (this.engineSays.observe) return this.engineSays.observe(run);
      const fault = this.faults.get(run.id);
      if (!fault) return { state: 'absent', targets: [] };
      return {
        state: 'injected',
        targets: [{ name: 'ledger-1', state: 'injected' }],
        injectedAt: new Date(fault.since).toISOString(),
        record: { phase: 'Injected' },
      };
    },
    remove: async run => {
      if (this.engineSays.remove) return this.engineSays.remove(run);
      this.faults.delete(run.id);
      const last = this.history.find(({ run: id }) => id === run.id);
      if (last) last.to ??= this.time;
      return { outcome: 'gone' };
    },
    listRuns: async () => [...this.faults.keys()],
  };

  async read({ from, to }: { from: number; to: number }) {
    const minutes: CriterionMinute[] = [];
    for (let start = from; start < to; start += MINUTE) {
      const observed = start + MINUTE <= Math.min(this.blindFrom, this.time);
      const bad = this.history.some(
        fault =>
          start + MINUTE > fault.from &&
          start < (fault.to ?? Infinity) + this.slowness,
      )
        ? this.damage
        : 0;
      minutes.push({
        start,
        observed,
        valid: observed ? 100 : 0,
        good: observed ? 100 - bad : 0,
      });
    }
    return {
      minutes: [minutes],
      watermark:
        Math.floor(Math.min(this.blindFrom, this.time) / MINUTE) * MINUTE,
      burning: this.burning,
      alertAt: this.alertAt,
    };
  }

  keeper(store: RunStore, options: { engines?: ChaosEngine[] } = {}) {
    return new RunKeeper({
      store,
      engines: new Map(
        (options.engines ?? [this.engine]).map(engine => [engine.id, engine]),
      ),
      environment: name =>
        name === 'staging'
          ? { name, tier: 'staging', runtime: 'local', settings: {} }
          : undefined,
      steadyState: this,
      reach: async () => [PATH],
      changed: async run => {
        this.told.push(`${run.state}${run.verdict ? ` ${run.verdict}` : ''}`);
      },
      logger: mockServices.logger.mock(),
      now: () => this.time,
      sleep: async (ms, signal) => {
        // Others get their turn: a run that waits must not starve the test.
        await new Promise(setImmediate);
        signal.throwIfAborted();
        this.time += ms;
        await this.onTick?.(this.time);
      },
    });
  }

  run(id: string, change: object = {}): Run {
    return {
      id,
      experimentId: 'e1',
      experiment: experiment(change),
      kind: 'shutdown',
      team: 'group:default/ledger',
      engine: 'test',
      state: 'injecting',
      targets: [],
      startedAt: new Date(this.time).toISOString(),
      startedBy: 'user:default/alice',
    };
  }
}
