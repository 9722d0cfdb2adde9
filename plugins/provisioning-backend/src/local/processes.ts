import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Environment variable by which processes of the local runtime are known: its value is the data directory. */
export const MARKER = 'ROCKET_RUNTIME_DIR';

/**
 * What tells this process from a later one with the same id: boot and start
 * time. Undefined when there is no such process.
 */
export function processIdentity(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in parentheses can hold anything; count from its end.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
      return `${boot.trim()}:${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  try {
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}

/** The command line of a process; empty when there is none. */
export function commandLine(pid: number): string {
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
  } catch {
    return '';
  }
}

/** Content of a pidfile. */
export function describeProcess(pid: number): string {
  return JSON.stringify({ pid, identity: processIdentity(pid) ?? 'ended' });
}

/** The process of a pidfile's content, if it still is the one that was written down. */
export function recognizeProcess(text: string): number | undefined {
  try {
    const { pid, identity } = JSON.parse(text);
    return processIdentity(pid) === identity ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Process groups (Linux) whose environment carries the marker of this directory. */
export function findMarkedGroups(directory: string): number[] {
  if (process.platform !== 'linux') return [];
  const wanted = `${MARKER}=${directory}`;
  const groups = new Set<number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, 'utf8');
      if (!environment.split('\0').includes(wanted)) continue;
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
      if (group > 1) groups.add(group);
    } catch {
      // Ended meanwhile, or another user's.
    }
  }
  return [...groups];
}

function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

/** Ends a process group: SIGTERM, and SIGKILL for what is left after `graceMs`. */
export async function endGroup(group: number, graceMs: number): Promise<void> {
  if (!signalGroup(group, 'SIGTERM')) return;
  const deadline = Date.now() + graceMs;
  while (Date.now() < deadline && isAlive(group)) await delay(25);
  if (!isAlive(group)) return;
  signalGroup(group, 'SIGKILL');
  // Only the kernel can be in the way now; a zombie that nobody reaps is no reason to wait.
  for (let i = 0; i < 40 && isAlive(group); i += 1) await delay(25);
}

/** Whether a process of the group runs; on Linux zombies do not count. */
function isAlive(group: number): boolean {
  if (!signalGroup(group, 0)) return false;
  if (process.platform !== 'linux') return true;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[2]) === group && fields[0] !== 'Z') return true;
    } catch {
      // Ended meanwhile.
    }
  }
  return false;
}
