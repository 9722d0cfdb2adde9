/** What `./rocket bench register` measured: the table, the bounds and the object at its end. */
import {
  VISIBLE_WITHIN_MS,
  type Gone,
  type Kills,
  type Outage,
} from './crashes.mts';
import type { Registered } from './sides.mts';
import type { Answers, AtRest, Freshness, Query } from './singles.mts';

export interface RoundFigures {
  side: 'stock' | 'rocket';
  round: number;
  /** Load of the machine in the minute before. */
  load: number;
  startSeconds: number;
  push: Registered;
  again?: Registered;
  queries?: Record<Query, Answers>;
  fresh?: Freshness;
  rest?: AtRest;
}

export interface RegisterFigures {
  services: number;
  connections: number;
  postgres: string;
  rounds: RoundFigures[];
  /** Milliseconds until one push was acknowledged, with `services` and with `entities` registered. */
  scale?: { entities: number; fewP50: number; manyP50: number };
  kills?: Kills;
  gone?: Gone;
  outage?: Outage;
}

/** Bounds and goals of the comparison; a bound decides the exit code, a goal is only shown. */
const BOUNDS = {
  accept: 10,
  queryable: 2.5,
  cpu: 0.4,
  fresh: 1,
  scale: 1.3,
  again: 0.1,
  rest: 0.3,
  queries: 1.1,
  goneSeconds: 60,
};

const median = (values: number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

const n = (value: number, digits = 0) => value.toFixed(digits);

/** Rocket over stock in each pair of rounds, and the median of that. */
function ratios(
  rounds: RoundFigures[],
  of: (round: RoundFigures) => number | undefined,
): { pairs: number[]; median: number } | undefined {
  const pairs: number[] = [];
  for (const rocket of rounds.filter(({ side }) => side === 'rocket')) {
    const stock = rounds.find(
      ({ side, round }) => side === 'stock' && round === rocket.round,
    );
    const [above, below] = [of(rocket), stock && of(stock)];
    if (above !== undefined && below !== undefined) pairs.push(above / below);
  }
  return pairs.length ? { pairs, median: median(pairs) } : undefined;
}

export function printRounds(rounds: RoundFigures[]): void {
  console.log(
    '\nround          load  accepted/s  p50 ms  queryable/s  CPU-ms node + PG    fresh p50 / p95 ms    at rest node + PG, Git reads/h',
  );
  for (const { side, round, load, push, fresh, rest } of rounds) {
    console.log(
      [
        `${side.padEnd(7)} ${round}`.padEnd(13),
        n(load, 1).padStart(5),
        n(push.acceptedPerSecond).padStart(11),
        n(push.acceptP50, 1).padStart(7),
        n(push.queryablePerSecond, 1).padStart(12),
        `${n(push.cpuPerEntity.node, 1)} + ${n(
          push.cpuPerEntity.postgres,
          1,
        )} = ${n(push.cpuPerEntity.total, 1)}`.padStart(20),
        (fresh ? `${n(fresh.p50)} / ${n(fresh.p95)}` : '').padStart(20),
        rest
          ? `${n(rest.node, 1)} + ${n(rest.postgres, 1)} %, ${n(
              rest.gitReadsPerHour,
            )}`.padStart(28)
          : '',
      ].join(' '),
    );
  }
  for (const { side, round, queries } of rounds) {
    if (!queries) continue;
    console.log(
      `${side.padEnd(7)} ${round}  ${Object.entries(queries)
        .map(
          ([query, answers]) =>
            `${query}: p50 ${n(answers.p50, 1)} p95 ${n(
              answers.p95,
              1,
            )} ms, ${n(answers.cpuMs, 2)} CPU-ms`,
        )
        .join('; ')}`,
    );
  }
}

/** Prints everything and gives the object that ends the benchmark's output. */
export function printRegister(figures: RegisterFigures) {
  const { rounds, scale, kills, gone, outage } = figures;
  printRounds(rounds);
  const bounds: Record<string, boolean> = {};
  const goals: Record<string, boolean> = {};
  const all: Record<string, unknown> = {};
  const compare = (
    key: string,
    of: (round: RoundFigures) => number | undefined,
    words: string,
    bound: (value: number) => boolean,
    goal?: [string, (value: number) => boolean],
  ) => {
    const found = ratios(rounds, of);
    if (!found) return;
    all[key] = found;
    const value = n(found.median, 2);
    const pairs = found.pairs.map(pair => n(pair, 2)).join(' ');
    bounds[`${words}: ${value} (${pairs})`] = bound(found.median);
    if (goal) goals[`${goal[0]}: ${value}`] = goal[1](found.median);
  };
  compare(
    'accepted',
    ({ push }) => push.acceptedPerSecond,
    `(a) accepted per second / stock >= ${BOUNDS.accept}`,
    value => value >= BOUNDS.accept,
  );
  compare(
    'queryable',
    ({ push }) => push.queryablePerSecond,
    `(b) queryable per second / stock >= ${BOUNDS.queryable}`,
    value => value >= BOUNDS.queryable,
    ['(b) queryable per second / stock >= 10', value => value >= 10],
  );
  compare(
    'cpu',
    ({ push }) => push.cpuPerEntity.total,
    `(b) CPU of an entity / stock <= ${BOUNDS.cpu}`,
    value => value <= BOUNDS.cpu,
    ['(b) CPU of an entity / stock <= 0.125', value => value <= 0.125],
  );
  for (const share of ['p50', 'p95'] as const)
    compare(
      `fresh_${share}`,
      ({ fresh }) => fresh?.[share],
      `(c) one push visible, ${share} / stock <= ${BOUNDS.fresh}`,
      value => value <= BOUNDS.fresh,
      [
        `(c) one push visible, ${share} / stock <= 0.65`,
        value => value <= 0.65,
      ],
    );
  const shown = rounds.flatMap(({ fresh }) =>
    fresh?.shownAtOnce === undefined ? [] : [fresh],
  );
  if (shown.length)
    bounds["(c) the registry's own read shows it at once"] = shown.every(
      fresh => fresh.shownAtOnce === fresh.samples,
    );
  if (scale)
    bounds[
      `(d) accept p50 at ${scale.entities} / at ${
        figures.services
      } services <= ${BOUNDS.scale}: ${n(scale.manyP50, 1)} / ${n(
        scale.fewP50,
        1,
      )} ms = ${n(scale.manyP50 / scale.fewP50, 2)}`
    ] = scale.manyP50 / scale.fewP50 <= BOUNDS.scale;
  const again = rounds.flatMap(({ push, again: second }) =>
    second ? [second.cpuPerEntity.total / push.cpuPerEntity.total] : [],
  );
  if (again.length)
    bounds[
      `(e) CPU of an unchanged push / of the first <= ${BOUNDS.again}: ${again
        .map(value => n(value, 3))
        .join(' ')}`
    ] = median(again) <= BOUNDS.again;
  const rests = rounds.filter(({ side, rest }) => side === 'rocket' && rest);
  if (rests.length)
    bounds['(f) no reads of the Git host at rest'] = rests.every(
      ({ rest }) => rest?.gitReadsPerHour === 0,
    );
  compare(
    'rest',
    ({ rest }) => rest?.total,
    `(f) CPU at rest / stock <= ${BOUNDS.rest}`,
    value => value <= BOUNDS.rest,
  );
  for (const query of ['list', 'ordered', 'facets'] as const) {
    compare(
      `query_${query}`,
      ({ queries }) => queries?.[query].p50,
      `(g) ${query} p50 / stock <= ${BOUNDS.queries}`,
      value => value <= BOUNDS.queries,
    );
  }
  if (kills) {
    bounds[
      `R1 acknowledged pushes visible <= ${
        VISIBLE_WITHIN_MS / 1000
      } s after ready, ${kills.kills} kills: ${
        kills.acknowledged
      } acknowledged, ${kills.late} late, ${kills.lost} lost, slowest ${n(
        kills.visibleAfterMs[0] / 1000,
        1,
      )} s`
    ] = kills.acknowledged > 0 && kills.late === 0 && kills.lost === 0;
  }
  if (gone)
    bounds[
      `R4 a service given up is ${gone.how} after ${n(gone.seconds, 1)} s <= ${
        BOUNDS.goneSeconds
      }`
    ] = gone.how !== 'still there' && gone.seconds <= BOUNDS.goneSeconds;
  if (outage)
    bounds[
      `R5 database away: ${outage.status}, Retry-After ${
        outage.retryAfter
      }, unready after ${n(outage.unreadySeconds, 1)} s, ready ${n(
        outage.readySeconds,
        1,
      )} s after it is back, then ${outage.statusAfterwards}`
    ] =
      outage.status === 503 &&
      outage.retryAfter !== null &&
      outage.unreadySeconds <= 5 &&
      outage.readySeconds <= 5 &&
      outage.statusAfterwards === 200;
  console.log();
  for (const [bound, met] of Object.entries(bounds))
    console.log(`${met ? 'met   ' : 'MISSED'} ${bound}`);
  for (const [goal, met] of Object.entries(goals))
    console.log(`${met ? 'met   ' : 'not   '} goal ${goal}`);
  console.log();
  return {
    bench: 'register',
    ...figures,
    ratios: all,
    bounds,
    goals,
    ok: Object.values(bounds).every(Boolean),
  };
}
