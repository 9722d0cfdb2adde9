import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { EventStore } from '../store/EventStore';
import { collectorTls } from './certificates';
import { startCollector, type RunningCollector } from './startCollector';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 2, 11, 12);
const PATH = '/agent_listener/invoke_raw_method';

describe('the agent collector', () => {
  let dataDir: string;
  let store: EventStore;
  let collector: RunningCollector;
  let ca: string;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'rocket-collector-'));
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  beforeEach(async () => {
    store = new EventStore({
      accounts: [
        { id: 1, name: 'a', apiKey: 'user-a', licenseKey: 'license-a' },
        { id: 2, name: 'b', apiKey: 'user-b', licenseKey: 'license-b' },
      ],
    });
    collector = await startCollector({
      store,
      dataDir,
      port: 0,
      now: () => NOW,
    });
    ca = await readFile(collector.caFile, 'utf8');
  });
  afterEach(() => collector.stop());

  function request(
    path: string,
    body: string | Buffer = '[]',
    headers: Record<string, string> = {},
    method = 'POST',
  ): Promise<{ status: number; body: any }> {
    return new Promise((resolve, reject) => {
      const req = https.request(
        {
          host: '127.0.0.1',
          port: collector.port,
          path,
          method,
          ca,
          agent: false,
          headers: { 'Content-Length': Buffer.byteLength(body), ...headers },
        },
        res => {
          const chunks: Buffer[] = [];
          res.on('data', chunk => chunks.push(chunk));
          res.on('error', reject);
          res.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({
              status: res.statusCode!,
              body: text ? JSON.parse(text) : undefined,
            });
          });
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  }

  const call = (
    method: string,
    payload: unknown,
    { key = 'license-a', run = '', protocol = '17' } = {},
  ) =>
    request(
      `${PATH}?marshal_format=json&protocol_version=${protocol}&license_key=${key}&method=${method}${
        run ? `&run_id=${run}` : ''
      }`,
      JSON.stringify(payload),
    );

  async function connect(key = 'license-a') {
    const { status, body } = await call(
      'connect',
      [
        {
          app_name: ['ledger', 'roll-up'],
          host: 'box-1',
          language: 'nodejs',
          labels: [{ label_type: 'Team', label_value: 'ledger' }],
        },
      ],
      { key },
    );
    expect(status).toBe(200);
    return body.return_value as Record<string, any>;
  }

  const rows = (type: string, account = 1) =>
    store.segments(account, type, 0, Number.MAX_SAFE_INTEGER).flatMap(s =>
      Array.from({ length: s.length }, (_, row) => ({
        timestamp: s.timestamps[row],
        weight: s.weights?.[row] ?? 1,
        ...s.attributes(row),
      })),
    );

  const event = (i: number) => [
    {
      type: 'Transaction',
      name: 'WebTransaction/Nodejs/GET//',
      timestamp: NOW + i,
      duration: 0.02,
      error: false,
      guid: `g${i}`,
      traceId: `t${i}`,
      sampled: i === 0,
    },
    { criticalPath: 'transaction-posting', duration: 'mine' },
    { 'http.statusCode': '200' },
  ];

  it('sends agents back to itself, port included', async () => {
    expect((await call('preconnect', [{ high_security: false }])).body).toEqual(
      {
        return_value: { redirect_host: `127.0.0.1:${collector.port}` },
      },
    );
  });

  it('connects an agent as an application with its labels', async () => {
    const answer = await connect();
    expect(answer).toMatchObject({
      account_id: '1',
      agent_run_id: expect.any(String),
      event_harvest_config: { report_period_ms: 2000 },
    });
    expect(store.applications.get(1, 'ledger')).toMatchObject({
      guid: answer.entity_guid,
      language: 'nodejs',
      labels: { Team: 'ledger' },
    });
    expect(store.applications.get(1, 'roll-up')).toBeUndefined();
  });

  it('merges the attributes of a transaction, what was measured first', async () => {
    const { agent_run_id: run, entity_guid: guid } = await connect();
    const answer = await call(
      'analytic_event_data',
      [run, { reservoir_size: 100, events_seen: 2 }, [event(0), event(1)]],
      { run },
    );
    expect(answer.status).toBe(202);
    expect(rows('Transaction')[0]).toEqual({
      timestamp: NOW,
      weight: 1,
      appName: 'ledger',
      appId: expect.any(Number),
      entityGuid: guid,
      'entity.guid': guid,
      'entity.name': 'ledger',
      host: 'box-1',
      name: 'WebTransaction/Nodejs/GET//',
      transactionType: 'Web',
      duration: 0.02,
      error: false,
      sampled: true,
      guid: 'g0',
      traceId: 't0',
      criticalPath: 'transaction-posting',
      'http.statusCode': '200',
      'tags.Team': 'ledger',
    });
    // Its trace was not kept.
    expect(rows('Transaction')[1]).not.toHaveProperty('traceId');
  });

  it('weighs the events of a sample, so that nothing seen is lost', async () => {
    const { agent_run_id: run } = await connect();
    await call(
      'analytic_event_data',
      [run, { reservoir_size: 4, events_seen: 10 }, [0, 1, 2, 3].map(event)],
      { run },
    );
    expect(rows('Transaction').map(t => t.weight)).toEqual([
      2.5, 2.5, 2.5, 2.5,
    ]);
  });

  it('takes seconds as time and leaves out what makes no sense', async () => {
    const { agent_run_id: run } = await connect();
    const answer = await call(
      'custom_event_data',
      [
        run,
        [
          [
            { type: 'Order', timestamp: NOW / 1000 },
            { total: 3, deep: {} },
            {},
          ],
          [{ type: 'bad-type!' }, {}, {}],
          [{}],
          'nonsense',
          null,
        ],
      ],
      { run },
    );
    expect(answer.status).toBe(202);
    expect(rows('Order')).toEqual([
      expect.objectContaining({ timestamp: NOW, total: 3, appName: 'ledger' }),
    ]);
    expect(rows('Order')[0]).not.toHaveProperty('deep');
    expect(store.eventTypes(1)).toEqual(['Order']);
  });

  it('reads gzip and deflate', async () => {
    const { agent_run_id: run } = await connect();
    const path = `${PATH}?protocol_version=17&license_key=license-a&method=error_event_data&run_id=${run}`;
    const payload = (i: number) =>
      JSON.stringify([
        run,
        { events_seen: 1 },
        [[{ type: 'TransactionError', timestamp: NOW + i }, {}, {}]],
      ]);
    await request(path, gzipSync(payload(0)), { 'Content-Encoding': 'gzip' });
    await request(path, deflateSync(payload(1)), {
      'Content-Encoding': 'deflate',
    });
    await request(path, payload(2), { 'Content-Encoding': 'identity' });
    expect(rows('TransactionError').map(e => e.timestamp)).toEqual([
      NOW,
      NOW + 1,
      NOW + 2,
    ]);
  });

  it('writes to the account whose key it was given', async () => {
    const { agent_run_id: run } = await connect('license-b');
    await call('analytic_event_data', [run, {}, [event(0)]], {
      run,
      key: 'license-b',
    });
    expect(rows('Transaction', 2)).toHaveLength(1);
    expect(rows('Transaction', 1)).toHaveLength(0);
    // A run belongs to its account.
    const foreign = await call('analytic_event_data', [run, {}, [event(0)]], {
      run,
    });
    expect(foreign.status).toBe(409);
  });

  it.each([
    'agent_settings',
    'metric_data',
    'log_event_data',
    'get_agent_commands',
  ])('accepts %s and keeps nothing of it', async method => {
    const { agent_run_id: run } = await connect();
    const { status } = await call(method, [run, 1, 2, []], { run });
    expect([200, 202]).toContain(status);
    expect(store.eventTypes(1)).toEqual([]);
  });

  it('forgets a run that shut down', async () => {
    const { agent_run_id: run } = await connect();
    expect((await call('shutdown', [], { run })).status).toBe(200);
    expect((await call('metric_data', [], { run })).status).toBe(409);
  });

  it.each<
    [string, number, string, () => Promise<{ status: number; body: any }>]
  >([
    [
      'a wrong license key',
      401,
      'LicenseException',
      () => call('preconnect', [], { key: 'nope' }),
    ],
    [
      'a user key',
      401,
      'LicenseException',
      () => call('connect', [], { key: 'user-a' }),
    ],
    [
      'an unknown run',
      409,
      'ForceRestartException',
      () => call('metric_data', [], { run: 'nope' }),
    ],
    [
      'another protocol',
      400,
      '',
      () => call('preconnect', [], { protocol: '9' }),
    ],
    ['an unknown method', 404, '', () => call('drop_everything', [])],
    ['another path', 404, '', () => request('/')],
    ['GET', 405, '', () => request(PATH, '', {}, 'GET')],
    ['a connect without a name', 400, '', () => call('connect', [{}])],
    ['a connect that is no list', 400, '', () => call('connect', { a: 1 })],
    [
      'broken JSON',
      400,
      '',
      () =>
        request(
          `${PATH}?protocol_version=17&license_key=license-a&method=connect`,
          '[{',
        ),
    ],
    [
      'a large body',
      413,
      '',
      () =>
        request(
          `${PATH}?protocol_version=17&license_key=license-a&method=connect`,
          'x'.repeat(1_000_001),
        ),
    ],
    [
      'a small body that grows large',
      413,
      '',
      () =>
        request(
          `${PATH}?protocol_version=17&license_key=license-a&method=connect`,
          gzipSync(Buffer.alloc(40_000_000)),
          { 'Content-Encoding': 'gzip' },
        ),
    ],
    [
      'an unknown encoding',
      415,
      '',
      () =>
        request(
          `${PATH}?protocol_version=17&license_key=license-a&method=connect`,
          '[]',
          { 'Content-Encoding': 'br' },
        ),
    ],
  ])('refuses %s with %i and lives on', async (_, status, type, send) => {
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(answer.body.exception.error_type).toContain(type);
    expect(answer.body.exception.message).not.toContain('license-a');
    expect(store.eventTypes(1)).toEqual([]);
    expect((await call('preconnect', [])).status).toBe(200);
  });

  it('refuses a payload of events that is no list of events', async () => {
    const { agent_run_id: run } = await connect();
    for (const payload of [null, 1, 'x', {}, [], [run], [run, {}, {}]]) {
      const { status } = await call('analytic_event_data', payload, { run });
      expect(status).toBe(400);
    }
  });
});

describe("the collector's certificates", () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'rocket-tls-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('are made once, for this machine only, with keys that only the owner reads', async () => {
    const first = await collectorTls(dataDir, NOW);
    expect(await collectorTls(dataDir, NOW + DAY)).toEqual(first);
    const authority = new X509Certificate(await readFile(first.caFile, 'utf8'));
    const server = new X509Certificate(first.cert);
    expect(authority.ca).toBe(true);
    expect(server.ca).toBe(false);
    expect(server.verify(authority.publicKey)).toBe(true);
    expect(server.checkHost('localhost')).toBe('localhost');
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(server.checkHost('newrelic.com')).toBeUndefined();
    const folder = join(dataDir, 'sandbox', 'tls');
    for (const [name, mode] of [
      ['ca-key.pem', 0o600],
      ['server-key.pem', 0o600],
      ['', 0o700],
    ] as const) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(mode);
    }
  });

  it('are renewed before they end, under the same authority', async () => {
    const first = await collectorTls(dataDir, NOW);
    const authority = await readFile(first.caFile, 'utf8');
    const later = NOW + 380 * DAY;
    const renewed = await collectorTls(dataDir, later);
    expect(renewed.cert).not.toBe(first.cert);
    expect(
      Date.parse(new X509Certificate(renewed.cert).validTo),
    ).toBeGreaterThan(later + 300 * DAY);
    expect(await readFile(first.caFile, 'utf8')).toBe(authority);
  });

  it.each(['ca.pem', 'ca-key.pem', 'server.pem', 'server-key.pem'])(
    'are made anew when %s is damaged',
    async name => {
      await collectorTls(dataDir, NOW);
      await writeFile(join(dataDir, 'sandbox', 'tls', name), 'damaged');
      const repaired = await collectorTls(dataDir, NOW);
      const authority = new X509Certificate(
        await readFile(repaired.caFile, 'utf8'),
      );
      expect(
        new X509Certificate(repaired.cert).verify(authority.publicKey),
      ).toBe(true);
    },
  );
});
