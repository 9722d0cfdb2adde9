import { execFile } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { junit } from '../support/junit.ts';
import { repository } from './support.ts';

const SCRIPT = resolve('scripts/ci/rocket.sh');
let repo: ReturnType<typeof repository>;

beforeEach(() => {
  repo = repository();
  // Says how it was called.
  repo.write({
    'rocket-ci.js': 'console.log(JSON.stringify([process.argv.slice(2), process.env.ROCKET_QUEUE])); process.exit(7);',
    'bin/npx': '#!/bin/sh\necho "$npm_config_ignore_scripts" "$@"\n',
  });
  chmodSync(join(repo.folder, 'bin/npx'), 0o755);
});
afterEach(() => repo.remove());

function rocket(env: Record<string, string>, ...args: string[]) {
  const path = [join(repo.folder, 'bin'), process.env.PATH].join(delimiter);
  return new Promise<{ code: number; out: string }>(done => {
    execFile('sh', [SCRIPT, ...args], { cwd: repo.folder, env: { PATH: path, ...env } }, (error, out) =>
      done({ code: Number(error?.code ?? 0), out: out.trim() }),
    );
  });
}

describe('rocket.sh', () => {
  const ROCKET_URL = 'https://rocket.example.com';

  it('says that nobody is told when there is no Rocket', async () => {
    expect(await rocket({}, 'register')).toEqual({ code: 0, out: 'ROCKET_URL is not set: Rocket is not told.' });
  });

  it('fetches the version that is named, and runs no script of it', async () => {
    const pinned = /@rocket\/cli@\d+\.\d+\.\d+/.exec(readFileSync(SCRIPT, 'utf8'))![0];
    expect(await rocket({ ROCKET_URL }, 'report', '--tests', 'a b.xml')).toEqual({
      code: 0,
      out: `true --yes --package ${pinned} -- rocket-ci report --tests a b.xml`,
    });
    const { out } = await rocket({ ROCKET_URL, ROCKET_CLI_PACKAGE: '/mnt/rocket-cli.tgz' }, 'gate');
    expect(out).toBe('true --yes --package /mnt/rocket-cli.tgz -- rocket-ci gate');
  });

  it('runs a file as it is, and passes on how it ended', async () => {
    const { code, out } = await rocket({ ROCKET_URL, ROCKET_CLI_PACKAGE: './rocket-ci.js' }, 'report', 'a b');
    expect(code).toBe(7);
    expect(JSON.parse(out)).toEqual([['report', 'a b'], 'ci-out/rocket-queue.ndjson']);
  });
});

describe('the results of Jest in the manner of JUnit', () => {
  it('name every test and why it failed', () => {
    const test = (status: string, title: string, more = {}) => ({
      ancestorTitles: ['ledger', 'posting'],
      title,
      status,
      duration: 1250,
      failureMessages: [],
      ...more,
    });
    const text = junit(
      {
        testResults: [
          {
            testFilePath: '/src/a.test.ts',
            testResults: [
              test('passed', 'a < b & "c"'),
              test('failed', 'd', { duration: null, failureMessages: ['\u001b[31mError\u001b[0m: <x>\u0000'] }),
              test('pending', 'e'),
            ],
          },
          { testFilePath: '/src/b.test.ts', testExecError: { message: 'Cannot find module' }, testResults: [] },
        ],
      },
      'integration',
    );
    expect(text.split('\n')).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites name="integration">',
      '<testsuite name="/src/a.test.ts">' +
        '<testcase classname="ledger posting" name="a &lt; b &amp; &quot;c&quot;" time="1.25"></testcase>' +
        '<testcase classname="ledger posting" name="d" time="0"><failure>Error: &lt;x&gt;</failure></testcase>' +
        '<testcase classname="ledger posting" name="e" time="1.25"><skipped/></testcase></testsuite>',
      '<testsuite name="/src/b.test.ts"><error>Cannot find module</error></testsuite>',
      '</testsuites>',
      '',
    ]);
  });
});
