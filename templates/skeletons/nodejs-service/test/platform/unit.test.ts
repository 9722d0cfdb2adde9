import { mkdtemp, readdir, readFile, rm, writeFile, cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createDatabase, dropDatabase } from '../../scripts/embedded.ts';
import { readConfig as read, type Environment } from '../../src/platform/config.ts';
import { toProblem } from '../../src/platform/db/database.ts';
import { migrate, MIGRATIONS_FOLDER, roleOf } from '../../src/platform/db/migrate.ts';
import { fingerprint, uuidv7 } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { CURRENCY_EXPONENTS, formatMinor } from '../../src/platform/money.ts';
import { definition } from '../../src/service.ts';
import { loadTelemetry, noTelemetry } from '../../src/platform/telemetry-api.ts';

const readConfig = (env: Environment) => read(env, { readConfig: () => ({}) }).config;

describe('configuration', () => {
  const DATABASE_URL = 'postgresql://app@localhost/ledger';

  it('has defaults for all but the database', () => {
    expect(readConfig({ DATABASE_URL })).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      poolSize: 10,
      problemBase: '/problems/',
    });
    expect(readConfig({ DATABASE_URL }).criticalPath).toBeUndefined();
    expect(readConfig({ DATABASE_URL, PORT: '' }).port).toBe(8080);
  });

  it('names everything that is wrong at once, and no password', () => {
    const wrong = { DATABASE_URL: 'mysql://root:s3cret@db', PORT: '80a', DATABASE_POOL_SIZE: '0', LOG_LEVEL: 'loud' };
    expect(() => readConfig(wrong)).toThrow(/PORT.*DATABASE_POOL_SIZE|DATABASE_URL.*LOG_LEVEL/s);
    expect(() => readConfig(wrong)).toThrow(/DATABASE_URL/);
    expect(() => readConfig(wrong)).not.toThrow(/s3cret/);
  });
});

describe('money', () => {
  it.each([
    [1050n, 'USD', '10.50'],
    [-5n, 'USD', '-0.05'],
    [0n, 'JPY', '0'],
    [1050n, 'JPY', '1050'],
    [5n, 'KWD', '0.005'],
    [123456n, 'CLF', '12.3456'],
    [9223372036854775807n, 'EUR', '92233720368547758.07'],
  ])('%s %s is %s', (value, currency, text) => {
    expect(formatMinor(value, currency)).toBe(text);
  });

  it('keeps every digit', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.constantFrom(...CURRENCY_EXPONENTS.keys()),
        (value, currency) => {
          const text = formatMinor(value, currency);
          expect(BigInt(text.replace('.', ''))).toBe(value);
          expect(text.split('.')[1]?.length ?? 0).toBe(CURRENCY_EXPONENTS.get(currency));
        },
      ),
    );
    expect(() => formatMinor(1n, 'XXX')).toThrow(RangeError);
  });
});

describe('ids', () => {
  it('are UUIDv7, unique and in order, even when the clock stands still or goes back a little', () => {
    const now = 1_800_000_000_000;
    const times = [...Array.from({ length: 10_000 }, () => now), now - 9_000, now + 10];
    const ids = times.map(time => uuidv7(time));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('follow a clock that was set right again by far', () => {
    uuidv7(1_900_000_000_000);
    const now = 1_800_000_000_000;
    expect(parseInt(uuidv7(now).replaceAll('-', '').slice(0, 12), 16)).toBe(now);
  });

  it('fingerprints do not depend on the order of members, but on everything else', () => {
    const print = (operation: string, body: unknown) => fingerprint(operation, body).toString('hex');
    expect(print('a', { x: 1, y: [{ p: 1, q: null }] })).toBe(print('a', { y: [{ q: null, p: 1 }], x: 1 }));
    const others = [
      print('b', { x: 1 }),
      print('a', { x: 1 }),
      print('a', { x: '1' }),
      print('a', { x: [1, 2] }),
      print('a', { x: [2, 1] }),
    ];
    expect(new Set(others).size).toBe(others.length);
  });
});

describe('errors of the database', () => {
  it.each([
    [{ code: 'ECONNREFUSED' }, 'database-unavailable'],
    [{ code: '08006' }, 'database-unavailable'],
    [{ code: '57P01' }, 'database-unavailable'],
    [{ message: 'Connection terminated unexpectedly' }, 'database-unavailable'],
    [{ code: '57014' }, 'overloaded'],
    [{ code: '55P03', where: 'locking a row of account_balance' }, 'overloaded'],
    [{ code: '40P01' }, 'overloaded'],
    [{ message: 'timeout exceeded when trying to connect' }, 'overloaded'],
    [{ code: '22003' }, 'limit-exceeded'],
  ])('%j is %s', (error, code) => {
    expect(toProblem(Object.assign(new Error(), error))).toMatchObject({ code });
  });

  it('leaves what it does not know', () => {
    const error = Object.assign(new Error('x'), { code: '42P01' });
    expect(toProblem(error)).toBe(error);
  });
});

describe('the log', () => {
  it('cuts out secrets and does not print connections', () => {
    const lines: string[] = [];
    const log = createLogger({ logLevel: 'info', serviceName: 's' }, { write: line => lines.push(line) });
    log.info({ card: { pan: '4111111111111111', cvv: '123' }, password: 'hunter2', user: { token: 't0k' } }, 'x');
    const error = Object.assign(new Error('lost'), { code: '57P01', client: { password: 'hunter2' } });
    log.warn({ err: error }, 'y');
    expect(lines.join('')).not.toMatch(/4111|123"|hunter2|t0k/);
    expect(JSON.parse(lines[1]!).err).toMatchObject({ message: 'lost', code: '57P01' });
  });
});

describe('telemetry', () => {
  it('is nothing when the agent is off', async () => {
    const telemetry = await loadTelemetry({ NEW_RELIC_ENABLED: 'false' });
    expect(telemetry).toBe(noTelemetry);
    telemetry.addAttribute('a', 'b');
    telemetry.nameTransaction('a');
    expect(telemetry.traceId()).toBeUndefined();
    await telemetry.stop();
  });

  it('reaches the agent when it is on', async () => {
    // The agent is loaded without a licence key here: its real API, and nothing is sent.
    process.env.NEW_RELIC_ENABLED = 'false';
    process.env.NEW_RELIC_LOG_ENABLED = 'false';
    process.env.NEW_RELIC_NO_CONFIG_FILE = 'true';
    const telemetry = await loadTelemetry({ NEW_RELIC_ENABLED: 'true' });
    telemetry.addAttribute('criticalPath', 'x');
    telemetry.nameTransaction('x');
    expect(telemetry.traceId() || undefined).toBeUndefined();
    await telemetry.stop();
  });
});

describe('migrations', () => {
  const { grants } = definition;

  it('run once, side by side too, and refuse a file that was changed', async () => {
    const admin = process.env.SERVICE_ADMIN_URL!;
    const name = `migrate_${process.pid}_${Date.now().toString(36)}`;
    const urls = await createDatabase(admin, name);
    const folder = await mkdtemp(join(tmpdir(), 'migrations-'));
    try {
      await cp(MIGRATIONS_FOLDER, folder, { recursive: true });
      const options = { url: urls.migrationUrl, applicationRole: roleOf(urls.url), grants, folder };
      const both = await Promise.all([migrate(options), migrate(options)]);
      const names = (await readdir(MIGRATIONS_FOLDER)).sort();
      expect(both.flat().sort()).toEqual(names);

      await writeFile(join(folder, '9999_broken.sql'), 'CREATE TABLE half (id int); SELECT * FROM nowhere;');
      await expect(migrate(options)).rejects.toMatchObject({ code: '42P01' });
      await rm(join(folder, '9999_broken.sql'));
      expect(await migrate(options)).toEqual([]);

      const first = join(folder, names[0]!);
      await writeFile(first, `${await readFile(first, 'utf8')}-- edited\n`);
      await expect(migrate(options)).rejects.toThrow(`${names[0]} was changed after it was applied`);
    } finally {
      await rm(folder, { recursive: true });
      await dropDatabase(admin, name);
    }
  });

  it('warn when there is only one role', async () => {
    const messages: string[] = [];
    const url = process.env.SERVICE_OWNER_URL!;
    await migrate({ url, applicationRole: roleOf(url), grants, log: message => messages.push(message) });
    expect(messages.join()).toContain('its own role');
    expect(roleOf(undefined)).toBeUndefined();
    await migrate({ url, applicationRole: roleOf(process.env.SERVICE_APP_URL), grants });
  });
});
