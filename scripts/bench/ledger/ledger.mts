/**
 * `./rocket bench ledger`: the golden Node.js services under load, on one PostgreSQL, beside pgbench's TPC-B-like script on the same
 * server in the same minutes (A/B/A, medians of the rounds' ratios).
 *
 * Bounds (reference: the design's B1 to B6):
 *  B1 closed loop, batched: at least 1.0 × TPC-B. B3 open loop, Poisson 2,000/s: p99 from the planned arrival below 189 ms, no error.
 *  B4 one hot account: at least 0.8 × random accounts. B5 no invariant broken after any run. B6 kill -9 of the service and of
 *  PostgreSQL under load: every 201 that was answered is there, nothing is posted twice. Authorization: 1,000 decisions/s, p99 below
 *  100 ms.
 */
import { randomUUID } from 'node:crypto';
import { cpus } from 'node:os';
import { say } from '../../lib/console.mts';
import { authorizations, DECISION_RATE } from './authorizations.mts';
import {
  closedLoop,
  openLoop,
  type LoadResult,
  type Request,
} from './HttpLoad.mts';
import { checkNothingLost, type Posted } from './nothingLost.mts';
import { BenchPostgres } from './postgres.mts';
import { RenderedService } from './RenderedService.mts';

const SCALE = 50;
const TPCB_CLIENTS = 16;
const HTTP_CLIENTS = 256;
const ACCOUNTS = 10_000;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
const WARM_UP_SECONDS = 3;
const OPEN_RATE = 2_000;

export const median = (values: number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function openAccounts(url: string): Promise<string[]> {
  const ids: string[] = [];
  let opened = 0;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (opened < ACCOUNTS) {
        opened += 1;
        const answer = await fetch(`${url}/v1/accounts`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'idempotency-key': randomUUID(),
          },
          body: JSON.stringify({
            name: `bench ${opened}`,
            kind: 'liability',
            currency: 'USD',
          }),
        });
        const body = (await answer.json()) as { id: string };
        if (answer.status !== 201)
          throw new Error(
            `opening an account: ${answer.status} ${JSON.stringify(body)}`,
          );
        ids.push(body.id);
      }
    }),
  );
  return ids;
}

/** Two-leg postings of 1 minor unit between two random accounts, or from one hot account to a random one. */
function postings(accounts: string[], hot = false): () => Request {
  const any = () => accounts[Math.floor(Math.random() * accounts.length)];
  return () => {
    const from = hot ? accounts[0] : any();
    let to = any();
    while (to === from) to = any();
    const amount = '"amount":{"value":"1","currency":"USD"}';
    return {
      path: '/v1/transactions',
      headers: { 'idempotency-key': randomUUID() },
      body: `{"legs":[{"accountId":"${from}","direction":"debit",${amount}},{"accountId":"${to}","direction":"credit",${amount}}]}`,
    };
  };
}

const onlyCreated = (result: LoadResult) =>
  Object.keys(result.statuses).every(status => status === '201');

/** Runs the service's own reconciliation; its breaches. */
function invariants(service: RenderedService): string[] {
  const { code, output } = service.command('reconcile');
  return code === 0 ? [] : [output.trim().slice(0, 2000)];
}

export async function ledger() {
  const postgres = new BenchPostgres();
  say(
    `ledger: ${postgres.version}, ${
      cpus().length
    } cores, ${ROUNDS} rounds of ${SECONDS} s, ${ACCOUNTS} accounts; pgbench -M prepared -s ${SCALE} -c ${TPCB_CLIENTS} beside it`,
  );
  await postgres.initialise();
  const service = new RenderedService('transaction-service-nodejs', postgres);
  const breaches: string[] = [];
  const catchUp: Record<string, number> = {};
  const check = async (what: string) => {
    catchUp[what] = await service.caughtUp();
    for (const breach of invariants(service))
      breaches.push(`after ${what}: ${breach}`);
  };
  try {
    postgres.prepareTpcb(SCALE);
    await service.prepare();
    await service.start();
    const accounts = await openAccounts(service.url);
    const closed = (hot = false, seconds = SECONDS) =>
      closedLoop({
        url: service.url,
        clients: HTTP_CLIENTS,
        seconds,
        next: postings(accounts, hot),
      });
    await closed(false, WARM_UP_SECONDS);
    await postgres.tpcb(WARM_UP_SECONDS, TPCB_CLIENTS);

    say('B1: closed loop against TPC-B, interleaved');
    const rounds = [];
    let before = await postgres.tpcb(SECONDS, TPCB_CLIENTS);
    for (let round = 0; round < ROUNDS; round++) {
      const cpu = service.cpuSeconds();
      const http = await closed();
      const cpuMs =
        ((service.cpuSeconds() - cpu) * 1000) / (http.perSecond * SECONDS);
      const after = await postgres.tpcb(SECONDS, TPCB_CLIENTS);
      rounds.push({
        tpcb: (before + after) / 2,
        http,
        cpuMs,
        ratio: http.perSecond / ((before + after) / 2),
      });
      before = after;
    }
    await check('B1');

    say(`B3: open loop, ${OPEN_RATE}/s for ${2 * SECONDS} s`);
    await openLoop({
      url: service.url,
      seconds: WARM_UP_SECONDS,
      rate: OPEN_RATE,
      next: postings(accounts),
    });
    const open = await openLoop({
      url: service.url,
      seconds: 2 * SECONDS,
      rate: OPEN_RATE,
      next: postings(accounts),
    });
    await check('B3');

    say('B4: one hot account against random accounts, interleaved');
    const hotRounds = [];
    let random = (await closed()).perSecond;
    for (let round = 0; round < ROUNDS; round++) {
      const hot = await closed(true);
      const next = (await closed()).perSecond;
      hotRounds.push({
        hot: hot.perSecond,
        random: (random + next) / 2,
        ratio: hot.perSecond / ((random + next) / 2),
      });
      random = next;
    }
    await check('B4');

    say('B6: kill -9 of the service, then of PostgreSQL, under load');
    const lost: Record<
      string,
      Awaited<ReturnType<typeof checkNothingLost>>
    > = {};
    for (const victim of ['service', 'postgres'] as const) {
      const posted: Posted[] = [];
      const next = postings(accounts);
      const before = service.count('txn');
      const load = closedLoop({
        url: service.url,
        clients: 64,
        seconds: 8,
        next,
        onAnswer: (request, answer) =>
          posted.push({ request, status: answer.status, body: answer.body }),
      });
      await new Promise(resolve => setTimeout(resolve, 2500));
      if (victim === 'service') {
        await service.kill();
        await service.start();
      } else {
        postgres.kill();
        await postgres.start();
        await service.untilReady();
      }
      await load;
      const verdict = await checkNothingLost(service.url, posted);
      // Counted in the database: as many transactions as there were different keys, however often each was sent.
      verdict.twice += Math.abs(service.count('txn') - before - posted.length);
      lost[victim] = verdict;
      await check(`kill -9 of ${victim}`);
    }

    say(`authorization service: ${DECISION_RATE} decisions/s, open loop`);
    const decisions = await authorizations(postgres, SECONDS);
    breaches.push(...decisions.breaches);

    const ratio = median(rounds.map(round => round.ratio));
    const hotRatio = median(hotRounds.map(round => round.ratio));
    const bounds = {
      'B1 closed loop / TPC-B >= 1.0': ratio >= 1,
      [`B3 ${OPEN_RATE}/s p99 < 189 ms, no error`]:
        open.p99 < 189 && onlyCreated(open),
      'B4 hot / random >= 0.8': hotRatio >= 0.8,
      'B5 no invariant broken': breaches.length === 0,
      'B6 nothing lost, nothing twice': Object.values(lost).every(
        result =>
          result.missing === 0 && result.twice === 0 && result.answered > 0,
      ),
      [`authorization ${DECISION_RATE}/s p99 < 100 ms`]:
        decisions.open.p99 < 100 && decisions.errors === 0,
    };
    const n = (value: number, digits = 0) => value.toFixed(digits);
    console.log(
      `\nTPC-B (pgbench)            ${n(median(rounds.map(r => r.tpcb)))} tps`,
    );
    console.log(
      `B1 closed loop, c${HTTP_CLIENTS}       ${n(
        median(rounds.map(r => r.http.perSecond)),
      )} /s = ${n(ratio, 2)} × TPC-B (rounds ${rounds
        .map(r => n(r.ratio, 2))
        .join(' ')}), ${n(
        median(rounds.map(r => r.cpuMs)),
        3,
      )} CPU-ms of the service per transaction`,
    );
    console.log(
      `B3 open loop ${OPEN_RATE}/s        p50 ${n(open.p50, 1)} p95 ${n(
        open.p95,
        1,
      )} p99 ${n(open.p99, 1)} ms, ${JSON.stringify(open.statuses)}`,
    );
    console.log(
      `B4 hot / random            ${n(median(hotRounds.map(r => r.hot)))} / ${n(
        median(hotRounds.map(r => r.random)),
      )} /s = ${n(hotRatio, 2)}`,
    );
    for (const [victim, result] of Object.entries(lost)) {
      console.log(
        `B6 kill -9 of ${victim.padEnd(12)} ${result.answered} answered 201, ${
          result.missing
        } missing, ${result.retried} undecided sent again, ${
          result.twice
        } posted twice`,
      );
    }
    console.log(
      `authorization ${decisions.rate}/s      p50 ${n(
        decisions.open.p50,
        1,
      )} p95 ${n(decisions.open.p95, 1)} p99 ${n(
        decisions.open.p99,
        1,
      )} ms, ${JSON.stringify(decisions.open.statuses)}, closed loop ${n(
        decisions.closed.perSecond,
      )} /s`,
    );
    console.log(
      `events told and transactions sealed, seconds after: ${Object.entries(
        catchUp,
      )
        .map(([what, seconds]) => `${what} ${n(seconds, 1)}`)
        .join(', ')}`,
    );
    for (const breach of breaches) console.log(`B5 ${breach}`);
    for (const [bound, met] of Object.entries(bounds))
      console.log(`${met ? 'met   ' : 'MISSED'} ${bound}`);
    console.log();
    return {
      bench: 'ledger',
      postgres: postgres.version,
      tpcb: median(rounds.map(r => r.tpcb)),
      closedLoop: rounds.map(({ tpcb, http, ratio: r, cpuMs }) => ({
        tpcb,
        perSecond: http.perSecond,
        p99: http.p99,
        ratio: r,
        cpuMs,
      })),
      ratio,
      openLoop: open,
      hot: hotRounds,
      hotRatio,
      kills: lost,
      authorization: decisions,
      catchUpSeconds: catchUp,
      breaches,
      bounds,
      ok: Object.values(bounds).every(Boolean),
    };
  } finally {
    await service.stop();
    await postgres.stop();
  }
}
