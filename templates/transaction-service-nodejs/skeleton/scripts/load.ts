/**
 * `npm run load -- [URL] [--rate N] [--seconds S] [--accounts A] [--hot]`: posts transactions at a running service of your own.
 *
 * Open loop: requests arrive at random (Poisson) at the given rate whether or not the service keeps up, and latency counts from the
 * planned start, so a stall is seen by all who would have come in it. --hot books everything against one account.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '10' },
    accounts: { type: 'string', default: '200' },
    hot: { type: 'boolean', default: false },
  },
});
const base = positionals[0] ?? 'http://127.0.0.1:8080';
const rate = Number(options.rate);
const seconds = Number(options.seconds);
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

async function open(name: string): Promise<string> {
  const { status, text } = await post('/v1/accounts', { name, kind: 'liability', currency: 'USD' });
  if (status !== 201) throw new Error(`Opening an account was answered ${status}: ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}

const accounts: string[] = [];
for (let i = 0; i < Number(options.accounts); i++) accounts.push(await open(`load ${i}`));
const any = () => accounts[Math.floor(Math.random() * accounts.length)]!;

const latencies: number[] = [];
const statuses: Record<string, number> = {};

async function one(planned: number): Promise<void> {
  const from = options.hot ? accounts[0]! : any();
  let to = any();
  while (to === from) to = any();
  const amount = { value: '1', currency: 'USD' };
  const legs = [
    { accountId: from, direction: 'debit', amount },
    { accountId: to, direction: 'credit', amount },
  ];
  const status = await post('/v1/transactions', { legs }).then(
    answer => String(answer.status),
    error => String(error.code ?? error.message),
  );
  statuses[status] = (statuses[status] ?? 0) + 1;
  latencies.push(performance.now() - planned);
}

const start = performance.now();
const pending: Promise<void>[] = [];
for (let next = start; next < start + seconds * 1_000; next += (-Math.log(1 - Math.random()) / rate) * 1_000) {
  const wait = next - performance.now();
  if (wait > 1) await new Promise(resolve => setTimeout(resolve, wait));
  pending.push(one(next));
}
await Promise.all(pending);
const took = (performance.now() - start) / 1_000;
latencies.sort((a, b) => a - b);
const percentile = (p: number) =>
  Number(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * p))]!.toFixed(1));
console.log(
  JSON.stringify({
    offeredPerSecond: rate,
    answeredPerSecond: Number((latencies.length / took).toFixed(1)),
    statuses,
    p50Ms: percentile(0.5),
    p95Ms: percentile(0.95),
    p99Ms: percentile(0.99),
  }),
);
agent.destroy();
