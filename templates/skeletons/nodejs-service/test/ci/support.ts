import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type Asked = { path: string; headers: Record<string, string | string[] | undefined>; body: any };
export type Answer = { status?: number; headers?: Record<string, string>; body?: unknown } | 'silence' | 'hang up';

/** An HTTP server that answers as it is told, then with the last answer again, and remembers what it was asked. */
export async function fakeServer(...answers: Answer[]) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      asked.push({ path: request.url!, headers: request.headers, body: text ? JSON.parse(text) : undefined });
      const answer = (answers.length > 1 ? answers.shift() : answers[0])!;
      if (answer === 'silence') return;
      if (answer === 'hang up') {
        request.socket.destroy();
        return;
      }
      const { status = 200, headers = {}, body = {} } = answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    async stop() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** A folder of its own with a Git repository; `commit` writes files and returns the new commit's id. */
export function repository() {
  const folder = mkdtempSync(join(tmpdir(), 'pipeline-'));
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...args], {
      cwd: folder,
      encoding: 'utf8',
    }).trim();
  git('init', '--quiet', '--initial-branch=main');
  const write = (files: Record<string, string>) => {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
  };
  return {
    folder,
    git,
    write,
    commit(files: Record<string, string>, message = 'change') {
      write(files);
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '--message', message);
      return git('rev-parse', 'HEAD');
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
