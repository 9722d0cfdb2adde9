import { expect, it } from '@jest/globals';
import pg from 'pg';
import { toRefusal } from '../src/ledger/refusals.ts';
import { CURRENCY_EXPONENTS } from '../src/platform/money.ts';

it('the database knows the same currencies as the code', async () => {
  const client = new pg.Client({ connectionString: process.env.SERVICE_APP_URL });
  await client.connect();
  const { rows } = await client.query('SELECT code, exponent FROM currency');
  await client.end();
  expect(new Map(rows.map(row => [row.code, row.exponent]))).toEqual(new Map(CURRENCY_EXPONENTS));
});

it('an unknown refusal of a newer schema is an internal error', () => {
  expect(toRefusal({ code: 'of-the-future' }, false)).toMatchObject({ code: 'internal' });
});
