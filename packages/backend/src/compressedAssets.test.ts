import express from 'express';
import { mkdtemp, rm, writeFile } from 'fs/promises';
import { tmpdir } from 'os';
import { join } from 'path';
import { once } from 'events';
import { createServer, get, type IncomingMessage, type Server } from 'http';
import type { AddressInfo } from 'net';
import { brotliDecompressSync } from 'zlib';
import { compressedAssets } from './compressedAssets';

const NAME = 'main.0123456789ab.js';

describe('compressed assets', () => {
  let folder: string;
  let server: Server;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rocket-assets-'));
    const app = express();
    app.use('/static', compressedAssets(folder));
    app.use((_req, res) => {
      res.send('passed on');
    });
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  const ask = async (path: string, encodings = 'gzip, deflate, br') => {
    const { port } = server.address() as AddressInfo;
    const [answer] = (await once(
      get({ port, path, headers: { 'accept-encoding': encodings } }),
      'response',
    )) as [IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    return { headers: answer.headers, body: Buffer.concat(parts) };
  };
  /** Asks until it comes from memory. */
  const askReady = async (path: string) => {
    for (;;) {
      const answer = await ask(path);
      if (answer.headers['content-encoding']) return answer;
    }
  };

  it('are handed out from memory once they are compressed, to be kept', async () => {
    const script = 'console.log("x");'.repeat(1000);
    await writeFile(join(folder, NAME), script);
    expect(String((await ask(`/static/${NAME}`)).body)).toBe('passed on');
    const { headers, body } = await askReady(`/static/${NAME}`);
    expect(headers).toMatchObject({
      'content-encoding': 'br',
      'content-type': 'application/javascript; charset=UTF-8',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'Accept-Encoding',
    });
    expect(body.length).toBeLessThan(script.length / 10);
    expect(String(brotliDecompressSync(body))).toBe(script);
  });

  it('are compressed anew when the file is another one', async () => {
    await writeFile(join(folder, NAME), 'old');
    await askReady(`/static/${NAME}`);
    await writeFile(join(folder, NAME), 'newer');
    expect(String((await ask(`/static/${NAME}`)).body)).toBe('passed on');
    const { body } = await askReady(`/static/${NAME}`);
    expect(String(brotliDecompressSync(body))).toBe('newer');
  });

  it.each([
    ['a browser without Brotli', `/static/${NAME}`, 'gzip'],
    ['a name that does not change with the content', '/static/main.js', 'br'],
    ['a file that is not there', '/static/gone.0123456789ab.js', 'br'],
    ['a way out of the folder', '/static/..%2Fpackage.0123456789ab.js', 'br'],
  ])('leaves %s to the next handler', async (_, path, encodings) => {
    await writeFile(join(folder, NAME), 'x');
    await writeFile(join(folder, 'main.js'), 'x');
    await askReady(`/static/${NAME}`);
    for (let time = 0; time < 2; time++) {
      expect(String((await ask(path, encodings)).body)).toBe('passed on');
    }
  });
});
