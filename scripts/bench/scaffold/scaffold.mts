/**
 * `./rocket bench scaffold`: a golden service from the submitted form to its first answer through the real portal's API on the local
 * runtime, with the share of the time that Rocket's own steps take; then its deployments under load.
 *
 * Bounds (the design's G8): 0 failed requests of 500 per second (open loop, Poisson) while a new version takes over; nothing of a version
 * that never gets ready is served; a version that breaks when it serves is taken back within 30 s, and nothing fails after that.
 * BENCH_ROUNDS (default 3) services are made; the last one is deployed. BENCH_PORT (default 7507): the portal's port, the others follow.
 * BENCH_RATE: another load, for a look on a busy machine; the bound is then not met.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { say } from '../../lib/console.mts';
import { STATE } from '../../lib/paths.mts';
import { startPortal } from '../../lib/portal.mts';
import { PortalApi } from './portalApi.mts';
import { scaffoldOnce, TEMPLATE, type ScaffoldRun } from './runs.mts';
import { breaksLater, goodVersion, neverReady, RATE } from './switches.mts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const PORT = Number(process.env.BENCH_PORT ?? 7507);
const ROLL_BACK_SECONDS = 30;

const n = (value: number, digits = 1) => value.toFixed(digits);
const median = (values: number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

function printRuns(runs: ScaffoldRun[]) {
  console.log(
    '\nrun   healthy  completed  install  migrate  start + health  Rocket’s own  share   (seconds)',
  );
  runs.forEach((run, i) => {
    const { phases } = run;
    console.log(
      [
        String(i + 1).padEnd(4),
        n(run.healthy).padStart(8),
        n(run.completed).padStart(10),
        n(phases.install ?? 0).padStart(8),
        n(phases.migrate ?? 0).padStart(8),
        n((phases.start ?? 0) + (phases.health ?? 0)).padStart(15),
        n(run.rocketOwn).padStart(13),
        `${n((run.rocketOwn / run.completed) * 100, 0)} %`.padStart(6),
      ].join(' '),
    );
  });
  console.log(
    `steps of the last run: ${Object.entries(runs.at(-1)!.steps)
      .map(([step, seconds]) => `${step} ${n(seconds, 2)}`)
      .join(', ')}`,
  );
}

export async function scaffold() {
  const folder = join(STATE, 'bench', 'scaffold');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // Beside the portal's own ports, so that a portal that somebody uses is not met.
  const config = join(folder, 'app-config.bench.yaml');
  writeFileSync(
    config,
    stringify({
      provisioning: { local: { ports: { from: PORT + 10, to: PORT + 59 } } },
    }),
  );
  say(
    `scaffold: ${TEMPLATE}, ${ROUNDS} services, ${
      cpus().length
    } cores, load ${n(loadavg()[0])}`,
  );
  const portal = await startPortal({
    port: PORT,
    dataDir: join(folder, 'data'),
    traffic: false,
    configs: [config],
  });
  try {
    const api = new PortalApi(portal.url);
    const runs: ScaffoldRun[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      say(`service ${round + 1} of ${ROUNDS}`);
      runs.push(await scaffoldOnce(api));
    }
    const { service } = runs.at(-1)!;
    say(`a new version under ${RATE} requests/s`);
    const good = await goodVersion(api, service);
    say('a version that never gets ready');
    const never = await neverReady(api, service);
    say('a version that breaks when it serves');
    const later = await breaksLater(api, service);

    const bounds = {
      [`0 of the requests at ${RATE}/s fail while a version takes over`]:
        RATE >= 500 &&
        good.failed === 0 &&
        good.service.deployment?.status === 'done',
      'nothing of a version that never gets ready is served':
        never.failed === 0 &&
        never.service.deployment?.status === 'failed' &&
        never.service.state === 'healthy',
      [`a broken version is taken back in < ${ROLL_BACK_SECONDS} s`]:
        later.broken > 0 &&
        later.brokenSeconds < ROLL_BACK_SECONDS &&
        later.failedAfter === 0 &&
        later.service.deployment?.status === 'failed' &&
        later.service.state === 'healthy',
      'every service became healthy': runs.every(run => run.healthy > 0),
    };
    printRuns(runs);
    for (const [what, { load, requests, failed, deploySeconds }] of [
      ['good version', good],
      ['never ready', never],
      ['breaks later', later],
    ] as const) {
      console.log(
        `${what.padEnd(13)} deployment ${n(
          deploySeconds,
        )} s, ${requests} requests, ${failed} failed, p50 ${n(
          load.p50,
        )} p99 ${n(load.p99)} max ${n(load.max)} ms, ${JSON.stringify(
          load.statuses,
        )}`,
      );
    }
    console.log(
      `taken back     ${n(later.brokenSeconds, 2)} s after its first answer, ${
        later.broken
      } answers were the broken version's, ${
        later.failedAfter
      } failed after that`,
    );
    for (const [bound, met] of Object.entries(bounds))
      console.log(`${met ? 'met   ' : 'MISSED'} ${bound}`);
    console.log();
    return {
      bench: 'scaffold',
      rounds: runs,
      healthySeconds: median(runs.map(run => run.healthy)),
      completedSeconds: median(runs.map(run => run.completed)),
      rocketSeconds: median(runs.map(run => run.rocketOwn)),
      rocketShare: median(runs.map(run => run.rocketOwn / run.completed)),
      rate: RATE,
      blueGreen: {
        requests: good.requests,
        failed: good.failed,
        deploySeconds: good.deploySeconds,
        p99: good.load.p99,
      },
      neverReady: { requests: never.requests, failed: never.failed },
      rollBack: {
        seconds: later.brokenSeconds,
        brokenAnswers: later.broken,
        failedAfter: later.failedAfter,
      },
      bounds,
      ok: Object.values(bounds).every(Boolean),
    };
  } finally {
    await portal.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
