import { type APIRequestContext, expect, test } from '@playwright/test';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type {
  BoardResponse,
  PathDetail,
} from '../plugins/critical-paths-common/src/api';
import { api, enter, picture } from './support';

const SANDBOX = `http://127.0.0.1:${process.env.ROCKET_SANDBOX_PORT}/sandbox/misbehave`;
const PATH = 'default/card-authorization';

/** New Relic misbehaves so, and in no other way, until it is told otherwise. */
async function misbehave(request: APIRequestContext, kind?: string) {
  const headers = {
    authorization: `Bearer ${process.env.ROCKET_SANDBOX_ADMIN_TOKEN}`,
  };
  const away = await request.delete(SANDBOX, { headers });
  expect(away.ok()).toBeTruthy();
  if (kind) {
    const rule = { kind, durationMs: 600_000 };
    const set = await request.post(SANDBOX, { headers, data: rule });
    expect(set.ok(), await set.text()).toBeTruthy();
  }
}

/** Follows a portal whose collector is in a hurry: 3-faults.config.yaml. */
test('New Relic failing in each way is told, never green, and made good afterwards', async ({
  page,
  request,
}) => {
  const board = () =>
    api<BoardResponse>(page, 'critical-paths/paths?window=1h');
  const path = () =>
    api<PathDetail>(page, `critical-paths/paths/${PATH}?window=1h`);
  const stateOf = async () => (await path()).state;
  const reason = async () => (await path()).data.lastError?.message ?? '';

  await enter(page);
  // Fresh, whatever its budget says.
  await expect
    .poll(async () => (await path()).data.ageSeconds, { timeout: 120_000 })
    .toBeLessThan(75);
  await expect.poll(reason).toBe('');
  const failing = Date.now();

  // While it fails it is asked in each cycle; the first time when a minute is over.
  for (const [kind, told] of [
    ['http429', /429/],
    ['timeout', /NRDB query duration exceeded the set timeout/],
    ['serverError', /An error occurred resolving this field/],
    ['nullResult', /null|no result|nothing/i],
    ['badKey', /key/i],
  ] as const) {
    await misbehave(request, kind);
    await expect
      .poll(reason, { message: `the reason of ${kind}`, timeout: 80_000 })
      .toMatch(told);
  }

  await expect
    .poll(async () => (await path()).stateReasons.join('; '), {
      timeout: 120_000,
    })
    .toMatch(/was last measured .* ago: .*key/i);
  await expect
    .poll(async () => (await board()).rows.map(row => row.state), {
      timeout: 30_000,
    })
    .not.toContain('healthy');
  await page.goto(`/critical-paths/${PATH}`);
  await expect(page.getByText(/The last collection failed at/)).toBeVisible();
  await picture(page, 'new-relic-refuses');
  const ended = Date.now();

  await misbehave(request);
  await expect.poll(reason, { timeout: 60_000 }).toBe('');
  await expect
    .poll(async () => (await path()).data.ageSeconds, { timeout: 60_000 })
    .toBeLessThan(75);
  expect(await stateOf()).not.toBe('stale');
  await expect(page.getByText(/The last collection failed at/)).toBeHidden();
  // Not a minute that went by without an answer is missing.
  const passed = async () => {
    const { points, stepSeconds } = (await path()).series;
    return points
      .map(point => ({
        end: Date.parse(point.start) + stepSeconds * 1000,
        seen: point.observed && point.valid > 0,
      }))
      .filter(({ end }) => end > failing && end <= ended)
      .map(({ seen }) => seen);
  };
  await expect.poll(passed, { timeout: 30_000 }).not.toContain(false);
  expect((await passed()).length).toBeGreaterThan(0);

  // The key that New Relic refused is nowhere to be read.
  const seen = JSON.stringify([await board(), await path()]);
  const logs = process.env.ROCKET_E2E_LOGS!;
  const written = readdirSync(logs).map(file =>
    readFileSync(join(logs, file), 'utf8'),
  );
  expect(written.length).toBeGreaterThan(0);
  for (const key of [
    process.env.ROCKET_SANDBOX_API_KEY!,
    process.env.ROCKET_SANDBOX_LICENSE_KEY!,
  ]) {
    expect(key.length).toBeGreaterThan(20);
    for (const text of [seen, ...written]) {
      expect(text.includes(key)).toBe(false);
    }
  }
});
