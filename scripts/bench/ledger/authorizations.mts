/** The golden authorization service on the same PostgreSQL: decisions at a fixed rate, then as many as it can. */
import { randomUUID } from 'node:crypto';
import {
  closedLoop,
  openLoop,
  type LoadResult,
  type Request,
} from './HttpLoad.mts';
import type { BenchPostgres } from './postgres.mts';
import { RenderedService } from './RenderedService.mts';

/** Decisions per second that are asked for. */
export const DECISION_RATE = 1_000;
const CARDS = 2_000;
const WARM_UP_SECONDS = 5;

export interface Decisions {
  rate: number;
  open: LoadResult;
  closed: LoadResult;
  /** Answers that were no approval, in the open loop. */
  errors: number;
  breaches: string[];
}

async function post(
  url: string,
  path: string,
  body: object,
): Promise<{ id: string }> {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(body),
  });
  const result = (await answer.json()) as { id: string };
  if (answer.status !== 201)
    throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(result)}`);
  return result;
}

/** Cards with an account of their own each and credit that a benchmark does not use up. */
async function issueCards(url: string): Promise<string[]> {
  const tokens: string[] = [];
  let issued = 0;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      while (issued < CARDS) {
        issued += 1;
        const account = await post(url, '/v1/spend-accounts', {
          currency: 'USD',
          ledgerAccountId: randomUUID(),
          creditLimit: '1000000000',
        });
        const token = `tok_${randomUUID().replaceAll('-', '')}`;
        await post(url, '/v1/cards', {
          token,
          spendAccountId: account.id,
          expiresOn: '2030-12-31',
        });
        tokens.push(token);
      }
    }),
  );
  return tokens;
}

export async function authorizations(
  postgres: BenchPostgres,
  seconds: number,
): Promise<Decisions> {
  const service = new RenderedService('authorization-service-nodejs', postgres);
  try {
    await service.prepare();
    await service.start();
    const tokens = await issueCards(service.url);
    let undecided = 0;
    const next = (): Request => ({
      path: '/v1/authorizations',
      headers: { 'idempotency-key': randomUUID() },
      body: JSON.stringify({
        networkRef: randomUUID(),
        cardToken: tokens[Math.floor(Math.random() * tokens.length)],
        amount: { value: '100', currency: 'USD' },
        merchant: { name: 'Corner Shop', mcc: '5411', country: 'US' },
        channel: 'chip',
      }),
    });
    const onAnswer = (
      _request: Request,
      answer: { status: number; body: string },
    ) => {
      if (
        answer.status !== 201 ||
        !answer.body.includes('"decision":"APPROVED"')
      )
        undecided += 1;
    };
    await openLoop({
      url: service.url,
      seconds: WARM_UP_SECONDS,
      rate: DECISION_RATE,
      next,
    });
    const open = await openLoop({
      url: service.url,
      seconds: 2 * seconds,
      rate: DECISION_RATE,
      next,
      onAnswer,
    });
    const errors = undecided;
    const closed = await closedLoop({
      url: service.url,
      clients: 64,
      seconds,
      next,
    });
    const { code, output } = service.command('reconcile');
    return {
      rate: DECISION_RATE,
      open,
      closed,
      errors,
      breaches: code === 0 ? [] : [`authorizations: ${output.slice(0, 2000)}`],
    };
  } finally {
    await service.stop();
  }
}
