import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { InputError } from '@backstage/errors';
import { makeDirectory } from '../__testUtils__/backend';
import { manifest } from '../__testUtils__/fakeService';
import { parseManifest } from './manifest';
import { ServiceLogFile } from './ServiceLogFile';

describe('a service log', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await makeDirectory();
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  const texts = (log: { lines: { text: string }[] }) =>
    log.lines.map(line => line.text);

  it('numbers lines without a gap over a restart, and reads on from a cursor', async () => {
    const first = await ServiceLogFile.open(directory);
    for (const text of ['a', 'b', 'c']) first.write('stdout', text);
    const head = await first.read({ after: 0, limit: 2 });
    expect(texts(head)).toEqual(['a', 'b']);
    expect(head.cursor).toBe(2);

    const second = await ServiceLogFile.open(directory);
    second.write('rocket', 'd');
    const rest = await second.read({ after: head.cursor, limit: 100 });
    expect(texts(rest)).toEqual(['c', 'd']);
    expect(rest.cursor).toBe(4);
    expect(texts(await second.read({ limit: 2 }))).toEqual(['c', 'd']);
    expect(await second.read({ after: 4, limit: 5 })).toEqual({
      lines: [],
      cursor: 4,
    });
  });

  it('lives with a line that a kill cut in half', async () => {
    await writeFile(
      join(directory, '1.log'),
      '{"n":1,"t":"x","s":"stdout","x":"a"}\n{"n":2,"t":',
    );
    const log = await ServiceLogFile.open(directory);
    log.write('stdout', 'b');
    expect(texts(await log.read({ limit: 10 }))).toEqual(['a', 'b']);
  });

  it('hides secrets that come in pieces, and takes long lines and characters apart', async () => {
    const log = await ServiceLogFile.open(directory);
    log.hide(['pass-word-123', '']);
    const source = new PassThrough();
    log.attach('stdout', source);
    const euro = Buffer.from('€');
    source.write('url://pass-wo');
    source.write('rd-123@host\r\nprice ');
    source.write(euro.subarray(0, 1));
    source.write(euro.subarray(1));
    source.write(`\n${'x'.repeat(20_000)}\nno newline`);
    source.end();
    await finished(source);
    const { lines } = await log.read({ limit: 100 });
    expect(lines[0].text).toBe('url://***@host');
    expect(lines[1].text).toBe('price €');
    expect(lines.slice(2, 5).map(l => l.text.length)).toEqual([
      8192, 8192, 3616,
    ]);
    expect(lines[5].text).toBe('no newline');
  });

  it('keeps a bounded number of bytes, the newest', async () => {
    const log = await ServiceLogFile.open(directory);
    for (let i = 0; i < 300; i += 1) {
      for (let j = 0; j < 10; j += 1)
        log.write('stdout', `${i} ${'x'.repeat(8000)}`);
      await log.flush();
    }
    const files = await readdir(directory);
    expect(files.length).toBeLessThanOrEqual(5);
    const sizes = await Promise.all(files.map(f => stat(join(directory, f))));
    const total = sizes.reduce((sum, s) => sum + s.size, 0);
    expect(total).toBeLessThan(12 * 1024 * 1024);
    const last = await log.read({ limit: 1 });
    expect(last.cursor).toBe(3000);
    expect(last.lines[0].text).toMatch(/^299 /);
    // Reading from a place that is gone goes on with the oldest that is there.
    const from = await log.read({ after: 0, limit: 1 });
    expect(from.cursor).toBeGreaterThan(1);
  });
});

describe('rocket.yaml', () => {
  it('takes the contract as it is', () => {
    expect(parseManifest(manifest({ database: 'postgresql' }))).toEqual({
      language: 'nodejs',
      start: ['node', 'server.js'],
      health: { live: '/healthz', ready: '/readyz' },
      docs: '/docs',
      database: 'postgresql',
    });
  });

  it.each([
    ['', /apiVersion/],
    ['[]', /the document: .*object/],
    ['a: *x', /not valid YAML/],
    [manifest({ start: [] }), /spec\.start: must name a program/],
    [manifest({ start: ['a', 1] }), /spec\.start\.1: .*string/],
    [manifest({ health: { live: '/a' } }), /spec\.health\.ready/],
    [
      manifest({ health: { live: '/a', ready: 'http://evil/' } }),
      /spec\.health\.ready: must be a path/,
    ],
    [
      manifest({ health: { live: '/a', ready: '/a?x' } }),
      /spec\.health\.ready: must be a path/,
    ],
    [manifest({ docs: '//evil' }), /spec\.docs/],
    [manifest({ database: 'mysql' }), /spec\.database: .*postgresql/],
    [manifest({ migrate: ['x'] }), /spec\.migrate: needs spec\.database/],
    [manifest().replace('v1alpha1', 'v2'), /apiVersion: .*v1alpha1/],
    [
      `a: &a [x]\n${Array.from(
        { length: 100 },
        (_, i) => `k${i}: [*a, *a]`,
      ).join('\n')}`,
      /is not/,
    ],
  ])('says what is wrong, case %#', (text, message) => {
    expect(() => parseManifest(text)).toThrow(InputError);
    expect(() => parseManifest(text)).toThrow(message);
  });
});
