/**
 * `npm run load -- [URL] [--rate N] [--seconds S] [--warmup S] [--cards N] [--hot]`: sends authorizations to a running service of your own.
 *
 * Open loop: requests arrive at random (Poisson) at the given rate whether or not the service keeps up, and latency counts from the
 * planned start, so a stall is seen by all who would have come in it. --hot puts all cards on one account.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '10' },
    warmup: { type: 'string', default: '3' },
    cards: { type: 'string', default: '500' },
    hot: { type: 'boolean', default: false },
  },
});
const base = positionals[0] ?? 'http://127.0.0.1:8080';
const rate = Number(options.rate);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });

function post(path: string, body: unknown): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
    const outgoing = request(new URL(path, base), { method: 'POST', agent, headers }, response => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', part => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}

async function create(path: string, body: unknown): Promise<any> {
  const { status, text } = await post(path, body);
  if (status !== 201) throw new Error(`${path} was answered ${status}: ${text}`);
  return JSON.parse(text);
}

const openAccount = () => create('/v1/spend-accounts', { currency: 'USD', creditLimit: '900000000000000' });
const hot = options.hot ? await openAccount() : undefined;
const tokens: string[] = [];
for (let i = 0; i < Number(options.cards); i++) {
  const account = hot ?? (await openAccount());
  const token = `tok_${randomUUID()}`;
  const limits = { perDay: '900000000000000', countPerHour: 100_000 };
  await create('/v1/cards', { token, spendAccountId: account.id, expiresOn: '2099-12-31', limits });
  tokens.push(token);
}

type Sample = { planned: number; took: number; answer: string };
const samples: Sample[] = [];

async function one(planned: number): Promise<void> {
  const body = {
    networkRef: randomUUID(),
    cardToken: tokens[Math.floor(Math.random() * tokens.length)],
    amount: { value: String(1 + Math.floor(Math.random() * 10_000)), currency: 'USD' },
    merchant: { mcc: '5411', country: 'MX' },
  };
  const answer = await post('/v1/authorizations', body).then(
    ({ status, text }) => (status === 201 ? (JSON.parse(text).reasonCode as string) : String(status)),
    error => String(error.code ?? error.message),
  );
  samples.push({ planned, took: performance.now() - planned, answer });
}

const start = performance.now();
const measured = start + Number(options.warmup) * 1_000;
const end = measured + Number(options.seconds) * 1_000;
const pending: Promise<void>[] = [];
for (let next = start; next < end; next += (-Math.log(1 - Math.random()) / rate) * 1_000) {
  const wait = next - performance.now();
  if (wait > 1) await new Promise(resolve => setTimeout(resolve, wait));
  pending.push(one(next));
}
await Promise.all(pending);
const seconds = (performance.now() - measured) / 1_000;
const counted = samples.filter(({ planned }) => planned >= measured);
const latencies = counted.map(({ took }) => took).sort((a, b) => a - b);
const percentile = (p: number) =>
  Number(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * p))]!.toFixed(1));
const answers: Record<string, number> = {};
for (const { answer } of counted) answers[answer] = (answers[answer] ?? 0) + 1;
console.log(
  JSON.stringify({
    offeredPerSecond: rate,
    answeredPerSecond: Number((counted.length / seconds).toFixed(1)),
    answers,
    p50Ms: percentile(0.5),
    p95Ms: percentile(0.95),
    p99Ms: percentile(0.99),
  }),
);
agent.destroy();
