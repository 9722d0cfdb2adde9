import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { legs, startHarness, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const at = async (account: string, moment: string, headers = {}) =>
  service.get(`/v1/accounts/${account}/balance?at=${encodeURIComponent(moment)}`, headers);

describe('GET /v1/accounts/{id}/balance?at=', () => {
  it('is what had happened by then, by business time', async () => {
    const { account, bank } = await service.funded('0');
    const post = (value: string, effectiveAt: string) =>
      service.post('/v1/transactions', { legs: legs(bank, account, value), effectiveAt });
    await post('10', '2026-03-01T00:00:00Z');
    await post('5', '2026-01-01T00:00:00+02:00');
    await post('1', '2026-02-01T00:00:00.000001Z');
    const posted = async (moment: string) => (await at(account, moment)).body.posted;
    expect(await posted('2025-12-31T21:59:59.999999Z')).toBe('0');
    expect(await posted('2025-12-31T22:00:00Z')).toBe('5');
    expect(await posted('2026-02-01T00:00:00Z')).toBe('5');
    expect(await posted('2026-02-01T00:00:00.000001Z')).toBe('6');
    expect(await posted('2026-03-01T01:00:00+01:00')).toBe('16');
    expect((await at(account, '2026-03-01T00:00:00Z')).body).toEqual({
      accountId: account,
      currency: 'USD',
      exponent: 2,
      posted: '16',
      pending: null,
      available: null,
      debitsPosted: '0',
      creditsPosted: '16',
      version: 3,
      at: '2026-03-01T00:00:00.000000Z',
    });
  });

  it('has a strong ETag that changes when something is booked for that time later', async () => {
    const { account, bank } = await service.funded('10');
    const moment = new Date().toISOString();
    const first = await at(account, moment);
    const tag = first.headers.etag!;
    expect(tag).toMatch(/^"[^"]+"$/);
    await service.transfer(bank, account, '1');
    expect((await at(account, moment, { 'if-none-match': tag })).status).toBe(304);
    await service.post('/v1/transactions', { legs: legs(bank, account, '1'), effectiveAt: '2026-01-01T00:00:00Z' });
    expect((await at(account, moment, { 'if-none-match': tag })).status).toBe(200);
  });

  it.each(['yesterday', '2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '1800-01-01T00:00:00Z', '2026-01-01'])(
    'refuses %s',
    async moment => {
      const { account } = await service.funded('1');
      expect(await at(account, moment)).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/query/at' }] } });
    },
  );

  it('knows no account that is not there', async () => {
    expect((await at(randomUUID(), '2026-01-01T00:00:00Z')).status).toBe(404);
  });

  it('agrees with adding up what counts by then, whatever the order of writing', async () => {
    const base = Date.parse('2026-01-01T00:00:00Z');
    const moments = fc.integer({ min: 0, max: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ value: fc.integer({ min: 1, max: 50 }), at: fc.option(moments), out: fc.boolean() }), {
          minLength: 1,
          maxLength: 15,
        }),
        fc.array(moments, { minLength: 1, maxLength: 4 }),
        async (entries, asked) => {
          const [account, bank] = [await service.openAccount(), await service.openAccount()];
          const time = (hours: number) => new Date(base + hours * 3_600_000).toISOString();
          const written: { at: number; value: number }[] = [];
          for (const entry of entries) {
            const [from, to] = entry.out ? [account, bank] : [bank, account];
            const body = {
              legs: legs(from, to, String(entry.value)),
              ...(entry.at === null ? {} : { effectiveAt: time(entry.at) }),
            };
            const { effectiveAt } = (await service.post('/v1/transactions', body)).body;
            written.push({ at: Date.parse(effectiveAt), value: entry.out ? -entry.value : entry.value });
          }
          const now = Date.now() + 1_000;
          for (const moment of [
            ...asked.map(hours => base + hours * 3_600_000),
            now,
            ...written.map(entry => entry.at),
          ]) {
            const counted = written.filter(entry => entry.at <= moment);
            const { posted, version } = (await at(account, new Date(moment).toISOString())).body;
            expect({ posted, version }).toEqual({
              posted: String(counted.reduce((sum, { value }) => sum + value, 0)),
              version: counted.length,
            });
          }
        },
      ),
      { numRuns: Number(process.env.PROPERTY_RUNS ?? 25) },
    );
  });
});
