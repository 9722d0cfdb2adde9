import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of /proc/<pid>/stat per second; Linux has had no other figure for user space in decades. */
const TICKS = 100;

interface Stat {
  parent: number;
  /** Own user and system time and that of children that ended, in ticks. */
  ticks: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return {
      parent: Number(fields[1]),
      ticks: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0),
    };
  } catch {
    return undefined;
  }
}

/**
 * CPU milliseconds that a process and all its descendants have used so far, the ones that ended included, as Linux counts them (in steps
 * of 10 ms per process).
 */
export function cpuMs(root: number): number {
  const children = new Map<number, number[]>();
  const ticks = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = statOf(pid);
    if (!stat) continue;
    ticks.set(pid, stat.ticks);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  let sum = 0;
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    sum += ticks.get(pid) ?? 0;
    open.push(...(children.get(pid) ?? []));
  }
  return (sum / TICKS) * 1000;
}

/** CPU time of one side of the comparison: its backend, and PostgreSQL, which serves only that side meanwhile. */
export interface Cpu {
  node: number;
  postgres: number;
}

/** Starts counting; the result says what was used since, in milliseconds. */
export function countCpu(backend: number, postgres: number): () => Cpu {
  const before = { node: cpuMs(backend), postgres: cpuMs(postgres) };
  return () => ({
    node: cpuMs(backend) - before.node,
    postgres: cpuMs(postgres) - before.postgres,
  });
}
