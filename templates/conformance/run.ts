#!/usr/bin/env node
/**
 * Runs the conformance suite against a service. Plain Node 24 is enough; see README.md.
 *
 * node run.ts --service transaction --url http://127.0.0.1:8080 [--authorization-url URL] [--contracts DIR] [--pid PID]
 *   [--seed N] [--histories N] [--group TEXT] [--json FILE]
 */
{
  const { spawnSync } =
    require('node:child_process') as typeof import('node:child_process');
  const path = require('node:path') as typeof import('node:path');
  const { parseArgs } = require('node:util') as typeof import('node:util');

  const usage =
    'node run.ts --service transaction|authorization --url http://HOST:PORT [--authorization-url URL] [--contracts DIR] [--pid PID] [--seed N] [--histories N] [--group TEXT] [--json FILE]';
  let exitCode = 2;
  try {
    const { values } = parseArgs({
      options: {
        service: { type: 'string' },
        url: { type: 'string' },
        'authorization-url': { type: 'string' },
        contracts: { type: 'string' },
        pid: { type: 'string' },
        seed: { type: 'string' },
        histories: { type: 'string' },
        group: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(`${usage}\n`);
      exitCode = 0;
    } else {
      const given: Record<string, string | undefined> = {
        SERVICE: values.service,
        BASE_URL: values.url,
        AUTHORIZATION_BASE_URL: values['authorization-url'],
        CONTRACTS_DIR: values.contracts && path.resolve(values.contracts),
        PROCESS_ID: values.pid,
        SEED: values.seed,
        HISTORIES: values.histories,
      };
      const env = { ...process.env };
      for (const [name, value] of Object.entries(given))
        if (value !== undefined) env[name] = value;
      const jest = [
        require.resolve('jest/bin/jest'),
        '--config',
        path.join(__dirname, 'jest.suite.config.js'),
        '--runInBand',
        '--ci',
        '--verbose',
      ];
      if (values.group) jest.push('--testNamePattern', values.group);
      if (values.json)
        jest.push('--json', '--outputFile', path.resolve(values.json));
      // Jest takes the environment of the suite, not the options of whoever started us.
      delete env.NODE_OPTIONS;
      exitCode =
        spawnSync(process.execPath, jest, {
          cwd: __dirname,
          env,
          stdio: 'inherit',
        }).status ?? 1;
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}\n`);
  }
  process.exitCode = exitCode;
}
