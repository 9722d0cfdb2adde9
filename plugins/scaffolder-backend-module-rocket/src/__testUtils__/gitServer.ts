import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** A Git host over HTTP through Git's own `http-backend`, with one password. */
export async function startGitServer(root: string, password: string) {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const requests: { url: string; authorized: boolean }[] = [];
  let failing = 0;

  const server = createServer((req, res) => {
    const header = req.headers.authorization ?? '';
    const given = Buffer.from(header.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':')[1];
    const authorized = given === password;
    requests.push({ url: req.url ?? '', authorized });
    if (failing > 0) {
      failing -= 1;
      res.writeHead(503).end('away');
      return;
    }
    if (!authorized) {
      res.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end();
      return;
    }
    const url = new URL(req.url ?? '/', 'http://localhost');
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: req.method,
        CONTENT_TYPE: req.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: req.headers['content-encoding'] ?? '',
        REMOTE_USER: 'rocket',
      },
    });
    req.pipe(backend.stdin);
    const chunks: Buffer[] = [];
    backend.stdout.on('data', chunk => chunks.push(chunk));
    backend.on('close', () => {
      const answer = Buffer.concat(chunks);
      const end = answer.indexOf('\r\n\r\n');
      const headers = answer.subarray(0, end).toString().split('\r\n');
      let status = 200;
      for (const line of headers) {
        const [name, value] = line.split(': ');
        if (name === 'Status') {
          status = Number(value.split(' ')[0]);
        } else {
          res.setHeader(name, value);
        }
      }
      res.writeHead(status).end(answer.subarray(end + 4));
    });
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    requests,
    create(name: string) {
      git('init', '-q', '--bare', '-b', 'main', `${name}.git`);
      git('-C', `${name}.git`, 'config', 'http.receivepack', 'true');
      return `http://127.0.0.1:${port}/${name}.git`;
    },
    run: (name: string, ...args: string[]) =>
      git('--git-dir', join(root, `${name}.git`), ...args),
    failNext(count: number) {
      failing = count;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
