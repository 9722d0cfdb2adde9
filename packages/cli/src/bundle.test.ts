import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  call,
  CATALOG,
  cleanUp,
  fakePortal,
  GENERIC,
  OPENAPI,
  repository,
} from './__testUtils__/world';

const PACKAGE = path.resolve(__dirname, '..');
let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rocket-ci-bundle-'));
  file = path.join(folder, 'rocket-ci.js');
  execFileSync(process.execPath, ['build.mjs', '--outfile', file], {
    cwd: PACKAGE,
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(cleanUp);

describe('what is published', () => {
  it('is one file that needs nothing but Node.js', () => {
    const text = readFileSync(file, 'utf8');
    expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true);
    const required = [...text.matchAll(/require\("([^"]+)"\)/g)].map(m => m[1]);
    expect(required.length).toBeGreaterThan(3);
    const foreign = required.filter(
      name => !builtinModules.includes(name.replace(/^node:/, '')),
    );
    expect(foreign).toEqual([]);
    expect(text).not.toMatch(/@backstage\/|@rocket\/plugin/);
  });

  it('names no package that has to be fetched with it', () => {
    const manifest = JSON.parse(
      readFileSync(path.join(PACKAGE, 'package.json'), 'utf8'),
    );
    expect(manifest.dependencies).toBeUndefined();
    expect(manifest.bin).toEqual({ 'rocket-ci': 'dist/rocket-ci.js' });
    expect(manifest.private).toBeUndefined();
  });

  it('runs by itself, with the exit codes that are documented', () => {
    const { folder: repo, write } = repository();
    write({ 'catalog-info.yaml': CATALOG, 'openapi.yaml': OPENAPI });
    const start = (...args: string[]) =>
      spawnSync(process.execPath, [file, ...args], {
        cwd: repo,
        encoding: 'utf8',
        env: { PATH: process.env.PATH },
      });
    expect(start('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(start('validate')).toMatchObject({ status: 0 });
    expect(JSON.parse(start('validate', '--json').stdout)).toMatchObject({
      ok: true,
      entities: 3,
    });
    write({ 'catalog-info.yaml': CATALOG.replace('kind: API', 'kind: Api') });
    expect(start('validate')).toMatchObject({ status: 1 });
    expect(start('validate', 'none')).toMatchObject({ status: 3 });
    expect(start('register')).toMatchObject({ status: 1 });
    expect(start('fly')).toMatchObject({ status: 2 });
    expect(start()).toMatchObject({ status: 2 });
    expect(start('gate')).toMatchObject({ status: 2 });
  });
});

describe('a queue file', () => {
  it('loses nothing when processes write it at once', async () => {
    const { folder: repo, write } = repository();
    write({ 'catalog-info.yaml': CATALOG, 'openapi.yaml': OPENAPI });
    const away = await fakePortal({ status: 503 });
    const codes = await Promise.all(
      Array.from(
        { length: 8 },
        (_, n) =>
          new Promise(resolve => {
            const args = ['register', '--attempts', '1', '--time'];
            const time = `2026-11-21T10:00:0${n}Z`;
            spawn(process.execPath, [file, ...args, time], {
              cwd: repo,
              env: { PATH: process.env.PATH, ...GENERIC, ROCKET_URL: away.url },
              stdio: 'ignore',
            }).once('close', resolve);
          }),
      ),
    );
    expect(codes).toEqual(Array(8).fill(0));
    const times = readFileSync(
      path.join(repo, '.rocket-ci/queue.ndjson'),
      'utf8',
    )
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).push.source.time);
    expect(times.sort()).toEqual(
      Array.from({ length: 8 }, (_, n) => `2026-11-21T10:00:0${n}.000Z`),
    );
  });
});

describe('help', () => {
  it('names every command and its options', async () => {
    const { out } = await call('/', ['--help']);
    for (const name of [
      'validate',
      'register',
      'report',
      'deploy',
      'gate',
      'flush',
    ]) {
      expect(out).toContain(`rocket-ci ${name}`);
      const help = await call('/', [name, '--help']);
      expect(help.code).toBe(0);
      expect(help.out).toContain('--json');
    }
    expect((await call('/', ['report', '--help'])).out).toContain(
      '--coverage FILE',
    );
  });
});
