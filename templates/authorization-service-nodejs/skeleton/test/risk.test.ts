import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { RiskPartner } from '../src/authorization/risk.ts';
import { startHarness, type Harness } from './support/harness.ts';
import { MockedPartner, type Fault } from './support/risk-partner.ts';

const partner = new MockedPartner();
let url: string;
beforeAll(async () => {
  url = await partner.listen();
});
afterAll(() => partner.close());
beforeEach(() => {
  partner.mode = 'none';
  partner.asked.length = 0;
});

const FAULTS: [Fault, string][] = [
  ['timeout', 'timeout'],
  ['slow', 'timeout'],
  ['error', 'status'],
  ['malformed', 'malformed'],
  ['duplicate', 'malformed'],
  ['huge', 'malformed'],
  ['out-of-range', 'malformed'],
  ['reset', 'network'],
];

/** Milliseconds: long enough for a busy machine, and short where nothing else ends the waiting. */
const PATIENT = 10_000;
const waitFor = (fault: Fault) => (fault === 'timeout' || fault === 'slow' ? 100 : PATIENT);

const question = () => ({
  requestId: randomUUID(),
  cardId: randomUUID(),
  amount: { value: '100', currency: 'USD' },
  mcc: '5411',
  country: 'MX',
  channel: null,
});

function client(more: Partial<ConstructorParameters<typeof RiskPartner>[0]> = {}) {
  const registry = new Registry();
  const risk = new RiskPartner({ url, timeout: PATIENT, threshold: 3, pause: 1_000, registry, ...more });
  const results = async () => {
    const { values } = await registry.getSingleMetric('risk_requests_total')!.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.result, value]));
  };
  return { risk, results, registry };
}

describe('the partner', () => {
  it('is asked once, without anything that names a person or a card number', async () => {
    const { risk, results } = client();
    const asked = question();
    partner.score = 73;
    expect(await risk.score(asked)).toEqual({ score: 73, source: 'partner' });
    expect(partner.asked).toEqual([{ method: 'POST', url: '/v1/scores', body: asked }]);
    expect(await results()).toEqual({ ok: 1 });
  });

  it('may have an address with a path', async () => {
    const { risk } = client({ url: `${url}/risk/eu` });
    await risk.score(question());
    expect(partner.asked[0].url).toBe('/risk/eu/v1/scores');
  });

  it.each(FAULTS)('that fails by %s is no score, in time', async (fault, result) => {
    const { risk, results } = client({ timeout: waitFor(fault) });
    partner.mode = fault;
    expect(await risk.score(question())).toEqual({ score: null, source: 'fallback' });
    expect(await results()).toEqual({ [result]: 1 });
    partner.release();
  });

  it('that is not there is no score', async () => {
    const { risk, results } = client({ url: 'http://127.0.0.1:1' });
    expect((await risk.score(question())).source).toBe('fallback');
    expect(await results()).toEqual({ network: 1 });
  });

  it('is not asked when the caller has no time for it', async () => {
    const { risk, results } = client();
    expect((await risk.score(question(), 20)).source).toBe('fallback');
    expect(partner.asked).toEqual([]);
    expect(await results()).toEqual({ late: 1 });
  });

  it('is left alone after failures in a row, tried once after a while, and trusted again', async () => {
    let now = 1_000;
    const { risk, results } = client({ now: () => now });
    partner.mode = 'error';
    for (let i = 0; i < 5; i++) await risk.score(question());
    expect(partner.asked).toHaveLength(3);
    expect(risk.open).toBe(true);
    expect(await results()).toEqual({ status: 3, open: 2 });

    now += 1_001;
    await Promise.all([risk.score(question()), risk.score(question())]);
    expect(partner.asked).toHaveLength(4);
    expect(risk.open).toBe(true);

    now += 1_001;
    partner.mode = 'none';
    partner.score = 5;
    expect(await risk.score(question())).toEqual({ score: 5, source: 'partner' });
    expect(await risk.score(question())).toEqual({ score: 5, source: 'partner' });
    expect(risk.open).toBe(false);
  });
});

describe('decisions with a partner', () => {
  let service: Harness;
  let hasty: Harness;
  beforeAll(async () => {
    const start = (timeout: number) =>
      startHarness({ RISK_URL: url, RISK_TIMEOUT_MS: String(timeout), RISK_BREAKER_FAILURES: '1000' });
    [service, hasty] = await Promise.all([start(PATIENT), start(100)]);
  });
  afterAll(() => Promise.all([service.close(), hasty.close()]));

  it('follow the score', async () => {
    const ruleSetId = await service.ruleSet({ risk: { declineFrom: 70 } });
    const { card, token } = await service.funded('1000', { ruleSetId });
    partner.score = 69;
    const fine = await service.authorize(token, '10', { channel: 'ecommerce' });
    expect(fine.body).toMatchObject({ decision: 'APPROVED', risk: { score: 69, source: 'partner' } });
    expect(partner.asked[0].body).toEqual({
      requestId: fine.body.id,
      cardId: card,
      amount: { value: '10', currency: 'USD' },
      mcc: '5411',
      country: 'MX',
      channel: 'ecommerce',
    });
    partner.score = 70;
    const risky = await service.authorize(token, '10');
    expect(risky.body).toMatchObject({
      decision: 'DECLINED',
      reasonCode: '05',
      detail: 'risk-too-high',
      risk: { score: 70 },
    });
    expect(risky.body.trace.at(-1)).toEqual({
      rule: 'risk',
      outcome: 'fail',
      reasonCode: '05',
      detail: 'risk-too-high',
      observed: '70',
      limit: '70',
    });
  });

  it.each(FAULTS)('go on by the stated fallback when it fails by %s', async fault => {
    const lenient = await service.funded('1000', { ruleSetId: await service.ruleSet({ risk: { declineFrom: 70 } }) });
    const strict = await service.funded('1000', {
      ruleSetId: await service.ruleSet({ risk: { declineFrom: 70, whenUnavailable: 'decline' } }),
    });
    partner.mode = fault;
    const asked = waitFor(fault) === PATIENT ? service : hasty;
    const [approved, declined] = await Promise.all([
      asked.authorize(lenient.token, '10'),
      asked.authorize(strict.token, '10'),
    ]);
    expect(approved.body).toMatchObject({ decision: 'APPROVED', risk: { score: null, source: 'fallback' } });
    expect(declined.body).toMatchObject({ decision: 'DECLINED', reasonCode: '91', detail: 'risk-unavailable' });
    partner.release();
  });

  it('leave the deadline to the decision', async () => {
    const ruleSetId = await service.ruleSet({ risk: { declineFrom: 70 } });
    const { token } = await service.funded('1000', { ruleSetId });
    partner.mode = 'timeout';
    const { body } = await service.authorize(token, '10', {}, { 'x-deadline-ms': '1' });
    expect(partner.asked).toEqual([]);
    expect(body).toMatchObject({ decision: 'DECLINED', reasonCode: '91', rule: 'message.deadline' });
  });

  it('do not ask when the card is refused anyway', async () => {
    const ruleSetId = await service.ruleSet({ risk: { declineFrom: 70 } });
    const { card, token } = await service.funded('1000', { ruleSetId });
    await service.post(`/v1/cards/${card}/status`, { status: 'frozen', reason: 'lost' });
    expect((await service.authorize(token, '10')).body.reasonCode).toBe('62');
    expect(partner.asked).toEqual([]);
  });
});

it('an address with a password is refused at the start', async () => {
  await expect(startHarness({ RISK_URL: 'https://user:secret@risk.example' })).rejects.toThrow('RISK_URL must be');
});
