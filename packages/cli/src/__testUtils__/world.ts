import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '../main';
import type { Env } from '../surroundings';

export type Asked = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: any;
};
export type Answer =
  | { status?: number; headers?: Record<string, string>; body?: unknown }
  | 'silence'
  | 'hang up'
  | ((asked: Asked) => { status?: number; body?: unknown });

/** Answer of a push of nothing. */
export const PUSHED = {
  entities: [],
  gone: [],
  builds: [],
  deployments: [],
  documents: [],
  warnings: [],
};

// Processes and Git take their time on a busy machine.
jest.setTimeout(60_000);

const cleanUps: (() => void | Promise<void>)[] = [];

/** Ends the servers and removes the folders of a test. */
export async function cleanUp(): Promise<void> {
  for (const end of cleanUps.splice(0).reverse()) await end();
}

/** A portal that answers as it is told, then with the last answer again, and remembers what it was asked. */
export async function fakePortal(...answers: Answer[]) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const received: Asked = {
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: text ? JSON.parse(text) : undefined,
      };
      asked.push(received);
      let answer = (answers.length > 1 ? answers.shift() : answers[0])!;
      if (typeof answer === 'function') answer = answer(received);
      if (answer === 'silence') return;
      if (answer === 'hang up') {
        request.socket.destroy();
        return;
      }
      const { status = 200, headers = {}, body = PUSHED } = answer as any;
      response.writeHead(status, {
        'content-type': 'application/json',
        ...headers,
      });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  };
  cleanUps.push(stop);
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, asked, stop };
}

/** A folder of its own; with `commit`, a Git repository. */
export function repository() {
  const folder = mkdtempSync(path.join(tmpdir(), 'rocket-ci-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=Ana', '-c', 'user.email=ana@example.com', ...args],
      { cwd: folder, encoding: 'utf8' },
    ).trim();
  const write = (files: Record<string, string | Buffer>) => {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    }
  };
  return {
    folder,
    git,
    write,
    init() {
      git('init', '--quiet', '--initial-branch=main');
    },
    commit(files: Record<string, string>, message = 'change') {
      write(files);
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '--message', message);
      return git('rev-parse', 'HEAD');
    },
  };
}

export const TOKEN = 'rocket-token-canary-4711';

/** What a pipeline of no particular system sets. */
export const COMMIT = 'c'.repeat(40);
export const GENERIC: Env = {
  ROCKET_TOKEN: TOKEN,
  ROCKET_REPOSITORY: 'https://git.example.com/acme/wallet',
  ROCKET_COMMIT: COMMIT,
  ROCKET_BRANCH: 'main',
  ROCKET_PIPELINE: 'https://git.example.com/acme/wallet/runs/7',
  ROCKET_TIME: '2026-11-21T10:00:00Z',
  ROCKET_CI_BACKOFF_MS: '1',
};

/** Runs one call in the folder. */
export async function call(folder: string, args: string[], env: Env = {}) {
  let out = '';
  let err = '';
  const code = await run(args, {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    out: text => {
      out += text;
    },
    err: text => {
      err += text;
    },
    now: () => new Date('2026-11-21T12:00:00Z'),
    version: '0.0.0-test',
  });
  return {
    code,
    out,
    err,
    /** What `--json` gave. */
    json: () => JSON.parse(out),
  };
}

export const CATALOG = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: wallet
  annotations:
    rocket.internal/critical-path: criticalpath:default/payouts
    rocket.internal/critical-path-step: book
spec:
  type: service
  lifecycle: production
  owner: group:default/payments
  system: wallet
  providesApis: [wallet]
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata:
  name: wallet
spec:
  owner: group:default/payments
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata:
  name: wallet
spec:
  type: openapi
  lifecycle: production
  owner: group:default/payments
  definition:
    $text: ./openapi.yaml
---
`;

export const OPENAPI = 'openapi: 3.1.0\ninfo: {title: Wallet, version: "1"}\n';
