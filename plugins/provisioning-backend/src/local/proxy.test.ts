import { mkdtemp, readFile, rm } from 'node:fs/promises';
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mockServices } from '@backstage/backend-test-utils';
import { freePorts } from '../__testUtils__/backend';
import { ServiceProxy } from './ServiceProxy';

jest.setTimeout(60_000);

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

describe('the proxy in front of the services', () => {
  let directory: string;
  let proxy: ServiceProxy;
  let port: number;
  const servers: Server[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rocket-proxy-'));
    port = await freePorts(1);
    proxy = new ServiceProxy({
      directory,
      idleTimeoutMs: 1_000,
      logger: mockServices.logger.mock(),
    });
  });

  afterEach(async () => {
    await proxy.shutdown();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    }
    await rm(directory, { recursive: true, force: true });
  });

  async function serve(handler: Handler): Promise<number> {
    const server = createServer(handler);
    servers.push(server);
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  const says =
    (text: string): Handler =>
    (_req, res) =>
      res.end(text);
  const url = () => `http://127.0.0.1:${port}`;
  const get = async (path = '/') => (await fetch(`${url()}${path}`)).text();

  it('passes on what was sent and answered, and nothing of the connection', async () => {
    let seen: IncomingMessage | undefined;
    const target = await serve((req, res) => {
      seen = req;
      const chunks: Buffer[] = [];
      req.on('data', chunk => chunks.push(chunk));
      req.on('end', () => {
        res.writeHead(207, 'As Sent', [
          'set-cookie',
          'a=1',
          'set-cookie',
          'b=2',
          'X-Case',
          'Kept',
          'connection',
          'x-private',
          'x-private',
          'no',
        ]);
        res.end(Buffer.concat(chunks).toString().toUpperCase());
      });
    });
    await proxy.route('cards', port, [target]);
    const answer = await fetch(`${url()}/v1/cards?id=%2F`, {
      method: 'POST',
      body: 'limits',
      headers: { 'x-request': '1', 'x-forwarded-for': '10.1.2.3' },
    });
    expect(answer.status).toBe(207);
    expect(answer.statusText).toBe('As Sent');
    expect(await answer.text()).toBe('LIMITS');
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(answer.headers.get('x-private')).toBeNull();
    expect(seen!.url).toBe('/v1/cards?id=%2F');
    expect(seen!.headers).toMatchObject({
      host: `127.0.0.1:${port}`,
      'x-request': '1',
      'content-length': '6',
      'x-forwarded-for': '10.1.2.3, 127.0.0.1',
      'x-forwarded-proto': 'http',
      via: '1.1 rocket',
    });
  });

  it('streams both ways: neither end waits for the whole', async () => {
    const target = await serve((req, res) => {
      req.on('data', chunk => res.write(`got ${chunk};`));
      req.on('end', () => res.end('end'));
    });
    await proxy.route('cards', port, [target]);
    const sent = request(url(), { method: 'PUT' });
    const answer = new Promise<IncomingMessage>(resolve =>
      sent.once('response', resolve),
    );
    sent.write('one');
    const response = await answer;
    const next = () =>
      new Promise<string>(resolve =>
        response.once('data', chunk => resolve(String(chunk))),
      );
    expect(await next()).toBe('got one;');
    sent.write('two');
    expect(await next()).toBe('got two;');
    sent.end();
    expect(await next()).toBe('end');
  });

  it('takes turns between instances and leaves one out that refuses', async () => {
    const [a, b] = [await serve(says('a')), await serve(says('b'))];
    await proxy.route('cards', port, [a, b]);
    const seen = [await get(), await get(), await get(), await get()];
    expect(seen.sort()).toEqual(['a', 'a', 'b', 'b']);
    const nobody = await freePorts(1);
    await proxy.route('cards', port, [nobody, b]);
    const posts = await Promise.all(
      Array.from({ length: 10 }, () =>
        fetch(url(), { method: 'POST', body: 'x' }).then(r => r.text()),
      ),
    );
    expect(posts).toEqual(Array(10).fill('b'));
  });

  it('lets what is under way at the old version end, on connections that are kept, and sends the rest to the new one', async () => {
    let finish: (() => void) | undefined;
    const old = await serve((req, res) => {
      if (req.url !== '/slow') {
        res.end('old');
        return;
      }
      res.write('half');
      finish = () => res.end(' whole');
    });
    const next = await serve(says('new'));
    await proxy.route('cards', port, [old]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = () =>
      new Promise<string>((resolve, reject) => {
        request(url(), { agent }, res => {
          let text = '';
          res.on('data', chunk => {
            text += chunk;
          });
          res.on('end', () => resolve(text));
        })
          .on('error', reject)
          .end();
      });
    expect(await kept()).toBe('old');
    const slow = await fetch(`${url()}/slow`);
    await proxy.route('cards', port, [next]);
    expect(await kept()).toBe('new');
    let drained: number | undefined;
    const draining = proxy.drain('cards', [old], 10_000).then(cut => {
      drained = cut;
    });
    expect(await get()).toBe('new');
    expect(drained).toBeUndefined();
    expect(await proxy.figures('cards')).toMatchObject({
      [old]: { active: 1 },
    });
    finish!();
    expect(await slow.text()).toBe('half whole');
    await draining;
    expect(drained).toBe(0);
    agent.destroy();
  });

  it('cuts off what does not end in time, so that its reader sees it', async () => {
    const old = await serve((_req, res) => res.write('half'));
    await proxy.route('cards', port, [old]);
    const slow = await fetch(url());
    await proxy.route('cards', port, [await serve(says('new'))]);
    expect(await proxy.drain('cards', [old], 50)).toBe(1);
    await expect(slow.text()).rejects.toThrow();
  });

  it('tells the service when a client has gone', async () => {
    let gone: (() => void) | undefined;
    const closed = new Promise<void>(resolve => {
      gone = resolve;
    });
    let arrived: (() => void) | undefined;
    const there = new Promise<void>(resolve => {
      arrived = resolve;
    });
    const target = await serve((_req, res) => {
      res.on('close', () => gone!());
      arrived!();
    });
    await proxy.route('cards', port, [target]);
    const controller = new AbortController();
    const asked = fetch(url(), { signal: controller.signal });
    await there;
    controller.abort();
    await expect(asked).rejects.toThrow();
    await closed;
    expect(await proxy.drain('cards', [target], 0)).toBe(0);
  });

  it('answers for a service that is away, silent or breaks off', async () => {
    const broken = await serve((req, res) => {
      if (req.url === '/silent') return;
      if (req.url === '/half') res.write('half', () => res.destroy());
      else res.destroy();
    });
    await proxy.route('cards', port, [await freePorts(1)]);
    const away = await fetch(url());
    expect(away.status).toBe(503);
    expect(away.headers.get('retry-after')).toBe('1');
    expect(await away.json()).toMatchObject({
      status: 503,
      detail: 'No instance of cards answers',
    });
    await proxy.route('cards', port, [broken]);
    expect((await fetch(url(), { method: 'POST', body: 'x' })).status).toBe(
      502,
    );
    expect((await fetch(`${url()}/silent`)).status).toBe(504);
    const half = await fetch(`${url()}/half`);
    await expect(half.text()).rejects.toThrow();
    expect(await proxy.figures('cards')).toMatchObject({
      [broken]: { active: 0, failures: 3 },
    });
  });

  it('does not lose a request to a connection that the service has closed', async () => {
    let served = 0;
    const sockets = new Set<import('node:net').Socket>();
    // Closes each connection after its first answer, without saying so.
    const server = createTcpServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      let count = 0;
      socket.on('data', () => {
        count += 1;
        if (count > 1) {
          socket.resetAndDestroy();
          return;
        }
        served += 1;
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    });
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve);
    });
    try {
      await proxy.route('cards', port, [
        (server.address() as AddressInfo).port,
      ]);
      for (let i = 0; i < 5; i += 1) expect(await get()).toBe('ok');
      expect(served).toBe(5);
      // It may have been carried out: what changes something is sent once.
      const posted = await fetch(url(), { method: 'POST' });
      expect(posted.status).toBe(502);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  it('tunnels upgraded connections', async () => {
    const target = await serve(says('no upgrade'));
    servers.at(-1)!.on('upgrade', (req, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: ${req.headers.upgrade}\r\nconnection: upgrade\r\n\r\n`,
      );
      socket.on('data', data => socket.write(`echo ${data}`));
      socket.on('end', () => socket.end());
    });
    await proxy.route('cards', port, [target]);
    const socket = connect(port, '127.0.0.1');
    const received = async (wanted: string) => {
      let text = '';
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        text += chunk;
        if (text.includes(wanted)) return text;
      }
      throw new Error(`closed after ${text}`);
    };
    socket.write(
      `GET / HTTP/1.1\r\nhost: x\r\nupgrade: demo\r\nconnection: upgrade\r\n\r\n`,
    );
    expect(await received('\r\n\r\n')).toMatch(/^HTTP\/1.1 101 .*demo/s);
    socket.write('hello');
    expect(await received('echo hello')).toBe('echo hello');
    socket.on('error', () => {});
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.resume();
    await proxy.route('cards', port, [await serve(says('new'))]);
    expect(await proxy.drain('cards', [target], 0)).toBe(1);
    await closed;
  });

  it('says when its port is taken, and gives it back when the service stops', async () => {
    const squatter = await serve(says('squatter'));
    const target = await serve(says('cards'));
    await expect(
      proxy.route('cards', squatter, [target]),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(proxy.has('cards', squatter)).toBe(false);
    await proxy.route('cards', port, [target]);
    expect(proxy.has('cards', port)).toBe(true);
    await proxy.remove('cards', 1_000);
    await expect(get()).rejects.toThrow();
  });

  it('is back, with all routes, after it was killed', async () => {
    const target = await serve(says('cards'));
    await proxy.route('cards', port, [target]);
    const read = async () =>
      JSON.parse(await readFile(join(directory, 'proxy.pid'), 'utf8')).pid;
    const before = await read();
    process.kill(before, 'SIGKILL');
    for (;;) {
      const text = await get().catch(() => undefined);
      const after = await read().catch(() => before);
      if (text === 'cards' && after !== before) break;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await proxy.route('cards', port, [await serve(says('new'))]);
    expect(await get()).toBe('new');
  });
});
