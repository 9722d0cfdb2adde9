import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { trackConnections } from './trackConnections';

describe('trackConnections', () => {
  let server: Server;
  let slow: ServerResponse | undefined;
  let connections: ReturnType<typeof trackConnections>;

  beforeEach(async () => {
    slow = undefined;
    server = createServer((req, res) => {
      if (req.url === '/stream') {
        res.setHeader('content-type', 'text/event-stream');
        res.write('data: 1\n\n');
      } else if (req.url === '/slow') {
        slow = res;
        server.emit('slow');
      } else {
        res.end('ok');
      }
    });
    server.on('upgrade', (_, socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    );
    connections = trackConnections(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** A connection that sent a request, and what came back on it so far. */
  async function open(path: string, headers = '') {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const state = { text: '', closed: once(socket, 'close') };
    socket.on('error', () => {});
    socket.on('data', chunk => {
      state.text += chunk;
    });
    const first =
      path === '/slow' ? once(server, 'slow') : once(socket, 'data');
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`);
    await first;
    return state;
  }

  const stopped = () => new Promise(done => server.close(done));

  it('ends streams, web sockets and kept connections, and waits for running requests', async () => {
    const kept = await open('/');
    const stream = await open('/stream');
    const upgraded = await open(
      '/',
      'connection: upgrade\r\nupgrade: websocket\r\n',
    );
    const running = await open('/slow');

    const end = stopped();
    const closed = connections.close(60_000);
    await Promise.all([kept.closed, stream.closed, upgraded.closed]);
    expect(running.text).toBe('');

    slow!.end('answer');
    await Promise.all([running.closed, closed, end]);
    expect(running.text).toContain('answer');
  });

  it('does not wait for ever', async () => {
    const running = await open('/slow');
    const end = stopped();
    await connections.close(0);
    await Promise.all([running.closed, end]);
    expect(running.text).toBe('');
  });
});
