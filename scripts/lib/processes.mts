import {
  spawn,
  type ChildProcess,
  type SpawnOptions,
} from 'node:child_process';
import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
import { Failure, openLog } from './console.mts';
import { ROOT } from './paths.mts';

/** Lets `node` run our TypeScript packages as they are, the way backstage-cli does. */
export const NODE_TRANSFORM = [
  '--require',
  `${ROOT}/node_modules/@backstage/cli/config/nodeTransform.cjs`,
];

/** Lets a process end when this one does, however that comes about. */
const END_WITH_US = ['--import', `${ROOT}/scripts/lib/endWithLauncher.mts`];

export interface Running {
  name: string;
  child: ChildProcess;
  logFile: string;
  /** Resolves with what ended it. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts a process that writes to its own log file, and to the console when `verbose`. */
export function startProcess(
  name: string,
  args: string[],
  options: SpawnOptions & {
    logFile: string;
    verbose?: boolean;
    command?: string;
    /** A Node.js process of ours that runs until it is told to end, or we are gone. */
    service?: boolean;
  },
): Running {
  const {
    logFile,
    verbose,
    command = process.execPath,
    service = false,
    ...spawnOptions
  } = options;
  const log = openLog(logFile);
  const child = spawn(command, [...(service ? END_WITH_US : []), ...args], {
    cwd: ROOT,
    stdio: [service ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    // Out of reach of the terminal's Ctrl-C: we end it, in order.
    detached: service,
    ...spawnOptions,
    env: {
      ...(spawnOptions.env ?? process.env),
      ROCKET_LAUNCHER_PID: service ? String(process.pid) : undefined,
    },
  });
  child.stdin?.on('error', () => {});
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', chunk => {
      log.write(chunk);
      if (verbose) process.stdout.write(chunk);
    });
  }
  const ended = new Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
  }>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => {
      log.end();
      done({ code, signal });
    });
  });
  ended.catch(() => {});
  return { name, child, logFile, ended };
}

/** Runs to the end; a non-zero exit becomes a failure with the log's last lines. */
export async function runToEnd(
  what: string,
  command: string,
  args: string[],
  options: SpawnOptions & { logFile: string; verbose?: boolean },
): Promise<void> {
  const running = startProcess(what, args, { ...options, command });
  const { code } = await running.ended;
  if (code !== 0) {
    throw new Failure(
      `${what} failed.`,
      ...tail(running.logFile, 25),
      `The whole log: ${running.logFile}`,
    );
  }
}

export function tail(file: string, lines: number): string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines);
  } catch {
    return [];
  }
}

/** Polls until `url` answers 2xx; ends early when the process does. */
export async function waitFor(
  url: string,
  running: Running,
  timeoutMs: number,
  headers?: Record<string, string>,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let ended = false;
  running.ended.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  for (;;) {
    try {
      const response = await fetch(url, {
        headers,
        signal: AbortSignal.timeout(2000),
      });
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // not listening yet
    }
    if (ended) {
      throw new Failure(
        `The ${running.name} ended while it was starting.`,
        ...tail(running.logFile, 20),
        `The whole log: ${running.logFile}`,
      );
    }
    if (Date.now() > deadline) {
      throw new Failure(
        `The ${running.name} was not ready after ${Math.round(
          timeoutMs / 1000,
        )} s.`,
        ...tail(running.logFile, 20),
        `The whole log: ${running.logFile}`,
      );
    }
    await new Promise(next => setTimeout(next, 200));
  }
}

/** Asks to end, waits, then insists. */
export async function stopProcess(
  running: Running,
  graceMs: number,
): Promise<void> {
  if (running.child.exitCode !== null || running.child.signalCode !== null)
    return;
  running.child.kill('SIGTERM');
  const insist = setTimeout(() => running.child.kill('SIGKILL'), graceMs);
  await running.ended.catch(() => {});
  clearTimeout(insist);
}

/** Fails with the way out when something else listens on the port. */
export async function needFreePort(
  port: number,
  purpose: string,
  hint: string,
): Promise<void> {
  await new Promise<void>((done, fail) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'EADDRINUSE'
          ? new Failure(
              `Port ${port} (${purpose}) is taken by another program.`,
              hint,
            )
          : error,
      ),
    );
    probe.listen(port, '127.0.0.1', () => probe.close(() => done()));
  });
}
