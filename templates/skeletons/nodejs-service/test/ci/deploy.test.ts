import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { deploy } from '../../scripts/ci/deploy.ts';
import type { Env } from '../../scripts/ci/record.ts';
import { fakeServer, repository } from './support.ts';

const IMAGE = `ghcr.io/acme/wallet@sha256:${'b'.repeat(64)}`;
let repo: ReturnType<typeof repository>;
let lines: string[];

beforeEach(() => {
  repo = repository();
  repo.write({
    'ci-out/image.txt': `${IMAGE}\n`,
    'contracts/openapi.yaml': 'openapi: 3.1.0\npaths:\n  /v1/accounts:\n    get: {}\n  "/v1/x:y":\n    get: {}\n',
    // Writes down how it is called; fails at what FAIL_AT names.
    'platform.sh':
      'echo "$@" >> calls.txt\nenv >> environment.txt\ncase "$*" in $FAIL_AT) exit 3;; $HANG_AT) sleep 60;; esac\n',
  });
  lines = [];
});
afterEach(() => repo.remove());

const run = (env: Env = {}, more: { phaseMs?: number; readyMs?: number; signal?: AbortSignal } = {}) =>
  deploy({
    folder: repo.folder,
    env: { PATH: process.env.PATH, DEPLOY_COMMAND: 'sh platform.sh', FAIL_AT: '-', HANG_AT: '-', ...env },
    log: line => lines.push(line),
    ...more,
  });
const calls = () => readFileSync(join(repo.folder, 'calls.txt'), 'utf8').trim().split('\n');

const ALL = [
  `green ${IMAGE}`,
  'shift 5',
  'watch 5',
  'shift 25',
  'watch 25',
  'shift 100',
  'watch 100',
  `promote ${IMAGE}`,
];

describe('a deployment', () => {
  it('goes from green to promoted in steps', async () => {
    const result = await run({ DEPLOY_ENVIRONMENT: 'staging' });
    expect(result).toMatchObject({ outcome: 'succeeded', environment: 'staging', image: IMAGE });
    expect(calls()).toEqual(ALL);
    expect(Date.parse(result.finishedAt)).toBeGreaterThanOrEqual(Date.parse(result.startedAt));
  });

  it.each(ALL.map((call, index) => [call, index] as const))('rolls back when "%s" fails', async (call, index) => {
    const result = await run({ FAIL_AT: call });
    expect(result).toMatchObject({ outcome: 'rolled-back', reason: `${call}: ended with 3` });
    expect(calls()).toEqual([...ALL.slice(0, index + 1), `rollback ${IMAGE}`]);
  });

  it('says so when not even the way back works', async () => {
    repo.write({ 'platform.sh': 'exit 9' });
    expect(await run()).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(/green.*9; rollback.*9/) });
  });

  it('ends a phase that takes too long, with everything it started', async () => {
    const result = await run({ HANG_AT: 'watch 25' }, { phaseMs: 300 });
    expect(result).toMatchObject({ outcome: 'rolled-back', reason: 'watch 25: took too long' });
  });

  it('rolls back when the pipeline is cancelled', async () => {
    const cancelled = new AbortController();
    const done = run({ HANG_AT: 'shift 5' }, { signal: cancelled.signal });
    while (!existsSync(join(repo.folder, 'calls.txt')) || !calls().includes('shift 5'))
      await new Promise(resolve => setImmediate(resolve));
    cancelled.abort(new Error('cancelled'));
    expect(await done).toMatchObject({ outcome: 'rolled-back', reason: 'shift 5: was cancelled' });
    expect(calls().at(-1)).toBe(`rollback ${IMAGE}`);
  });

  it('asks the new version before it shifts requests to it', async () => {
    const green = await fakeServer({ body: { paths: { '/v1/accounts': {}, '/v1/x:y': {} } } });
    try {
      expect((await run({ GREEN_URL: green.url })).outcome).toBe('succeeded');
      expect(green.asked.map(({ path }) => path)).toEqual(['/readyz', '/healthz', '/openapi.json']);
    } finally {
      await green.stop();
    }
    const old = await fakeServer({ body: { paths: { '/v1/accounts': {} } } });
    try {
      expect(await run({ GREEN_URL: old.url })).toMatchObject({
        outcome: 'rolled-back',
        reason: expect.stringContaining('does not offer /v1/x:y'),
      });
    } finally {
      await old.stop();
    }
    expect(await run({ GREEN_URL: old.url }, { readyMs: 0 })).toMatchObject({
      outcome: 'rolled-back',
      reason: expect.stringContaining('is not ready: no answer'),
    });
  });

  it('keeps from the command what it does not need', async () => {
    await run({
      ROCKET_TOKEN: 'canary',
      ROCKET_ID_TOKEN: 'canary',
      NEW_RELIC_USER_KEY: 'canary',
      CLOUD_ID_TOKEN: 'needed',
    });
    const seen = readFileSync(join(repo.folder, 'environment.txt'), 'utf8');
    expect(seen).not.toContain('canary');
    expect(seen).toContain('CLOUD_ID_TOKEN=needed');
  });

  it('wants an image by digest', async () => {
    repo.write({ 'ci-out/image.txt': 'ghcr.io/acme/wallet:latest' });
    await expect(run()).rejects.toThrow('by digest');
    await expect(run({ DEPLOY_COMMAND: '' })).rejects.toThrow('DEPLOY_COMMAND');
  });
});
