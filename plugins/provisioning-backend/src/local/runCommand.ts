import { spawn } from 'node:child_process';
import { endGroup } from './processes';
import type { LogSink } from './ServiceLogFile';

const OFFLINE =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|network request .* failed/;

const DISK_FULL = /ENOSPC|no space left on device/i;
/** What to do about a full disk. */
export const DISK_FULL_HINT =
  'The disk of this machine is full; free some space and deploy again, nothing that ran before is lost.';

/**
 * Runs one command of a deployment to its end: no shell, own process group, a
 * time limit, output into the service's log.
 * @throws Error with a reason for the service's owner.
 */
export async function runCommand(
  what: string,
  argv: string[],
  options: {
    cwd: string;
    env: Record<string, string>;
    log: LogSink;
    signal: AbortSignal;
    timeoutMs: number;
  },
): Promise<void> {
  const { log, signal } = options;
  signal.throwIfAborted();
  const shown = argv.join(' ');
  log.write('rocket', `${what}: ${shown}`);
  const child = spawn(argv[0], argv.slice(1), {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const tail: string[] = [];
  let offline = false;
  let full = false;
  const remember = (line: string) => {
    offline ||= OFFLINE.test(line);
    full ||= DISK_FULL.test(line);
    if (line.trim()) tail.push(line.slice(0, 500));
    if (tail.length > 5) tail.shift();
  };
  log.attach('stdout', child.stdout, remember);
  log.attach('stderr', child.stderr, remember);

  let stopped: string | undefined;
  let ending: Promise<void> | undefined;
  const end = (why: string) => {
    stopped ??= why;
    if (child.pid) ending ??= endGroup(child.pid, 2_000);
  };
  const timer = setTimeout(
    () => end(`did not end within ${options.timeoutMs / 1000} seconds`),
    options.timeoutMs,
  );
  const onAbort = () => end('was interrupted');
  signal.addEventListener('abort', onAbort);
  try {
    const result = await new Promise<{ code: number | null; error?: Error }>(
      resolve => {
        child.once('error', error => resolve({ code: null, error }));
        child.once('close', code => resolve({ code }));
      },
    );
    await ending;
    if (result.code === 0 && !stopped) return;
    signal.throwIfAborted();
    if (result.error) {
      throw new Error(
        `${what} could not be started: ${
          (result.error as NodeJS.ErrnoException).code === 'ENOENT'
            ? `there is no program '${argv[0]}' on the PATH`
            : result.error.message
        }`,
      );
    }
    const reason = stopped ?? `ended with exit code ${result.code}`;
    let hint = '';
    if (full) hint = ` ${DISK_FULL_HINT}`;
    else if (offline) {
      hint =
        ' The package registry cannot be reached from this machine; check the network and deploy again.';
    }
    const last =
      tail.length > 0 ? ` Its last lines: ${log.mask(tail.join(' | '))}` : '';
    throw new Error(`${what} (${log.mask(shown)}) ${reason}.${hint}${last}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    // What it left in the background must not stay.
    if (child.pid) await endGroup(child.pid, 0);
  }
}
