import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { STATE } from '../lib/paths.mts';
import { bringControlPlane } from './build.mts';
import { endProcesses, startCluster, type Cluster } from './cluster.mts';

/**
 * A control plane for the time of `use`: nothing of it is left afterwards, also after a failure, Ctrl-C and SIGTERM.
 *
 * @throws NoControlPlane when there can be none on this machine
 */
export async function withTestCluster<T>(
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const programs = await bringControlPlane();
  mkdirSync(join(STATE, 'test'), { recursive: true });
  const folder = mkdtempSync(join(STATE, 'test', 'k8s-'));
  const pids: number[] = [];
  const end = async () => {
    await endProcesses(pids);
    rmSync(folder, { recursive: true, force: true });
  };
  const interrupted = (signal: NodeJS.Signals) => {
    end().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  // Others that listen (embedded PostgreSQL does, once imported) would end this process before the cluster has ended.
  const signals = (['SIGINT', 'SIGTERM'] as const).map(name => {
    const others = process.rawListeners(name) as NodeJS.SignalsListener[];
    process.removeAllListeners(name);
    process.once(name, interrupted);
    return { name, others };
  });
  try {
    return await use(await startCluster(programs, folder, pids));
  } finally {
    for (const { name, others } of signals) {
      process.removeListener(name, interrupted);
      others.forEach(listener => process.on(name, listener));
    }
    await end();
  }
}
