/**
 * `./rocket bench register`: pipelines register their services with Rocket and, in turn in the same run, with plain Backstage
 * (`POST /api/catalog/locations` and a Git host on loopback). Both on one PostgreSQL that keeps every promise; only one of the two runs at
 * a time, save for the queries, so that its CPU time and that of PostgreSQL are its own.
 *
 * BENCH_N services (2,000), BENCH_ROUNDS pairs of stock and Rocket (2), BENCH_KILLS (20), BENCH_PORT, and BENCH_PARTS, a list of `push`
 * (always), `fresh`, `queries`, `rest`, `again`, `scale`, `kills`, `gone` and `outage`; all by default.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure, say } from '../../lib/console.mts';
import { buildPortal } from '../../lib/portalBuild.mts';
import { BenchPostgres } from '../ledger/postgres.mts';
import { makeStock } from '../stock/make.mts';
import {
  databaseAway,
  giveUp,
  killAgainAndAgain,
  type Gone,
  type Kills,
  type Outage,
} from './crashes.mts';
import {
  printRegister,
  printRounds,
  type RegisterFigures,
} from './figures.mts';
import { rocketInterval } from './rocket.mts';
import { multiplyServices } from './scale.mts';
import { startGitHost } from './services.mts';
import {
  percentile,
  registerMany,
  startSide,
  untilQuiet,
  type Side,
  type World,
} from './sides.mts';
import { acceptOneByOne, askInTurn, atRest, freshness } from './singles.mts';

const PARTS = [
  'push',
  'fresh',
  'queries',
  'rest',
  'again',
  'scale',
  'kills',
  'gone',
  'outage',
] as const;
type Part = (typeof PARTS)[number];

const N = Number(process.env.BENCH_N ?? 2_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 2);
const KILLS = Number(process.env.BENCH_KILLS ?? 20);
const PORT = Number(process.env.BENCH_PORT ?? 7707);
/** Pipelines that push at the same moment. */
const CONNECTIONS = Number(process.env.BENCH_CONNECTIONS ?? 32);
/** Enough that the 95th percentile is not the slowest of all. */
const FRESH_SAMPLES = 60;
const QUERY_SECONDS = 2;
const QUERY_TURNS = 5;
const REST_SECONDS = 60;
const ACCEPT_SAMPLES = 150;
const MANY = 50_000;
/** Of the catalog's default: 100 to 150 s between two looks at an entity. */
const STOCK_INTERVAL_SECONDS = 125;

/** What one side gave in one round. */
type Round = Omit<RegisterFigures['rounds'][number], 'side' | 'round' | 'load'>;

function wantedParts(): Set<Part> {
  const asked = process.env.BENCH_PARTS?.split(',') ?? [...PARTS];
  const unknown = asked.find(part => !PARTS.includes(part as Part));
  if (unknown !== undefined)
    throw new Failure(
      `BENCH_PARTS names '${unknown}'.`,
      `There are: ${PARTS.join(', ')}.`,
    );
  return new Set(['push', ...(asked as Part[])]);
}

async function oneRound(
  side: Side,
  world: World,
  parts: Set<Part>,
): Promise<Round> {
  const filter = 'kind=component';
  let known = N;
  say(`${side.name}: ${N} services, ${CONNECTIONS} pipelines at a time`);
  const first = await registerMany(side, {
    from: 0,
    count: N,
    revision: 0,
    connections: CONNECTIONS,
    expect: { filter, count: N },
  });
  const round: Round = { startSeconds: side.startSeconds, push: first };
  if (parts.has('again') && side.rocket) {
    say(`${side.name}: the same ${N} services again, unchanged`);
    round.again = await registerMany(side, {
      from: 0,
      count: N,
      revision: 0,
      connections: CONNECTIONS,
      expect: { filter, count: N },
    });
  }
  if (parts.has('fresh')) {
    say(`${side.name}: ${FRESH_SAMPLES} single registrations`);
    round.fresh = await freshness(side, known, FRESH_SAMPLES);
    known += FRESH_SAMPLES;
  }
  if (parts.has('rest')) {
    say(`${side.name}: ${REST_SECONDS} s at rest`);
    round.rest = await atRest(
      side,
      world,
      REST_SECONDS,
      side.rocket ? rocketInterval() : STOCK_INTERVAL_SECONDS,
    );
  }
  return round;
}

export async function register() {
  const parts = wantedParts();
  await makeStock();
  await buildPortal({});
  const postgres = new BenchPostgres();
  await postgres.initialise();
  const git = await startGitHost();
  const folder = mkdtempSync(join(tmpdir(), 'rocket-bench-register-'));
  const world: World = { postgres, git, folder, port: PORT };
  const figures: RegisterFigures = {
    services: N,
    connections: CONNECTIONS,
    postgres: postgres.version,
    rounds: [],
  };
  let rocket: Side | undefined;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of ['stock', 'rocket'] as const) {
        const load = loadavg()[0];
        const side = await startSide(name, world, `${name}_${round}`);
        try {
          const gave = await oneRound(side, world, parts);
          figures.rounds.push({ side: name, round, load, ...gave });
          printRounds(figures.rounds.slice(-1));
        } catch (error) {
          await side.stop();
          throw error;
        }
        // The last one of Rocket stays for what concerns Rocket alone.
        if (name === 'rocket' && round === ROUNDS - 1) rocket = side;
        else await side.stop();
      }
    }
    if (parts.has('queries')) await compareQueries(rocket!, world, figures);
    Object.assign(figures, await rocketAlone(rocket!, world, parts));
  } finally {
    await rocket?.stop();
    git.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return printRegister(figures);
}

/** Queries of both at the same time, on what the last round left: the only part in which both run. */
async function compareQueries(
  rocket: Side,
  world: World,
  figures: RegisterFigures,
): Promise<void> {
  say('the same queries of both, in turn');
  const stock = await startSide(
    'stock',
    { ...world, port: PORT + 1 },
    `stock_${ROUNDS - 1}`,
  );
  try {
    const [ofStock, ofRocket] = await askInTurn(
      [stock, rocket],
      QUERY_TURNS,
      QUERY_SECONDS,
    );
    for (const round of figures.rounds.slice(-2))
      round.queries = round.side === 'stock' ? ofStock : ofRocket;
  } finally {
    await stock.stop();
  }
}

/** What has no counterpart in plain Backstage. */
async function rocketAlone(
  side: Side,
  world: World,
  parts: Set<Part>,
): Promise<{
  scale?: RegisterFigures['scale'];
  kills?: Kills;
  gone?: Gone;
  outage?: Outage;
}> {
  let scale: RegisterFigures['scale'];
  let kills: Kills | undefined;
  let gone: Gone | undefined;
  let outage: Outage | undefined;
  if (parts.has('gone')) gone = await giveUp(side, 0);
  if (parts.has('kills')) {
    say(`kill -9 in the middle of pushes, ${KILLS} times`);
    kills = await killAgainAndAgain(side, KILLS);
  }
  if (parts.has('scale')) {
    say(`one push at ${N} and at ${MANY} registered services`);
    await untilQuiet(side, N, 60_000);
    const few = await acceptOneByOne(side, 300_000, ACCEPT_SAMPLES);
    await untilQuiet(side, N, 60_000);
    const entities = await multiplyServices(side, Math.ceil(MANY / N) - 1);
    const many = await acceptOneByOne(side, 400_000, ACCEPT_SAMPLES);
    scale = {
      entities,
      fewP50: percentile(few, 0.5),
      manyP50: percentile(many, 0.5),
    };
  }
  if (parts.has('outage')) {
    say('kill -9 of PostgreSQL');
    outage = await databaseAway(side, world);
  }
  return { scale, kills, gone, outage };
}
