import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createMockDirectory } from '@backstage/backend-test-utils';
import { readOptions } from './run';

const directory = createMockDirectory();
const ENV = {
  ROCKET_SANDBOX_API_KEY: 'NRAK-x',
  ROCKET_SANDBOX_LICENSE_KEY: 'f'.repeat(40),
};
const read = (argv: string[], env: NodeJS.ProcessEnv = ENV) =>
  readOptions({ argv, env, repository: '/repo' });

describe('readOptions', () => {
  it('has defaults for all but the keys', () => {
    expect(read([])).toEqual({
      port: 7010,
      collectorPort: 7011,
      dataDir: '/repo/.rocket/data',
      accounts: [
        {
          id: 1000001,
          name: 'demo',
          apiKey: 'NRAK-x',
          licenseKey: 'f'.repeat(40),
        },
      ],
      scenarioFile: '/repo/examples/traffic.yaml',
      historyDays: undefined,
      adminToken: undefined,
    });
  });

  it('takes what it is told', () => {
    expect(
      read(['--scenario', '/other.yaml', '--days', '2'], {
        ...ENV,
        ROCKET_SANDBOX_PORT: '1',
        ROCKET_COLLECTOR_PORT: '2',
        ROCKET_DATA_DIR: '/data',
        ROCKET_SANDBOX_ADMIN_TOKEN: 't',
      }),
    ).toMatchObject({
      port: 1,
      collectorPort: 2,
      dataDir: '/data',
      scenarioFile: '/other.yaml',
      historyDays: 2,
      adminToken: 't',
    });
    expect(read(['--no-traffic'])).toMatchObject({ scenarioFile: undefined });
    expect(read(['--help'])).toEqual({
      help: expect.stringContaining('Usage'),
    });
  });

  it.each<[string[], NodeJS.ProcessEnv, string]>([
    [['--what'], ENV, '--what'],
    [
      ['--days', 'x'],
      ENV,
      "--days must be a whole number from 0 to 31, got 'x'",
    ],
    [
      [],
      { ...ENV, ROCKET_SANDBOX_PORT: '99999' },
      'ROCKET_SANDBOX_PORT must be',
    ],
    [
      [],
      {},
      'ROCKET_SANDBOX_API_KEY and ROCKET_SANDBOX_LICENSE_KEY must be set',
    ],
  ])('refuses %j with a sentence', (argv, env, message) => {
    expect(() => read(argv, env)).toThrow(message);
  });
});

describe('the process', () => {
  function start(port: number) {
    const child = spawn(
      process.execPath,
      [
        '--require',
        require.resolve('@backstage/cli/config/nodeTransform.cjs'),
        path.join(__dirname, 'main.ts'),
        '--no-traffic',
      ],
      {
        env: {
          ...process.env,
          ...ENV,
          NODE_OPTIONS: '',
          ROCKET_SANDBOX_PORT: String(port),
          ROCKET_COLLECTOR_PORT: '0',
          ROCKET_DATA_DIR: directory.path,
        },
      },
    );
    let output = '';
    const ready = new Promise<void>(resolve => {
      const listen = (chunk: Buffer) => {
        output += chunk;
        if (output.includes('Ready')) resolve();
      };
      child.stdout.on('data', listen);
      child.stderr.on('data', listen);
    });
    const exited = new Promise<number | null>(resolve =>
      child.on('exit', code => resolve(code)),
    );
    return { child, ready, exited, output: () => output };
  }

  it('says that it is ready, and ends cleanly when it is told to', async () => {
    const { child, ready, exited, output } = start(0);
    await Promise.race([ready, exited]);
    expect(output()).toContain('Ready');
    expect(output()).not.toContain(ENV.ROCKET_SANDBOX_LICENSE_KEY);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  }, 60_000);

  it('names the port that is taken and the way out', async () => {
    const blocker = createServer();
    await new Promise<void>(resolve => blocker.listen(0, '127.0.0.1', resolve));
    const { port } = blocker.address() as AddressInfo;
    const { exited, output } = start(port);
    expect(await exited).toBe(1);
    expect(output()).toContain(
      `Port ${port} on 127.0.0.1 is taken by another program. End that program, or set ROCKET_SANDBOX_PORT to a free port.`,
    );
    await new Promise(resolve => blocker.close(resolve));
  }, 60_000);
});
