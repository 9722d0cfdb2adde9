/**
 * `./rocket k8s up | down | status`: a Kubernetes control plane on this machine, real but without nodes, for tests and for trying
 * out what Rocket writes to a cluster.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bringControlPlane } from './k8s/build.mts';
import {
  answers,
  endProcesses,
  startCluster,
  type Cluster,
} from './k8s/cluster.mts';
import { Failure, printFailure, say } from './lib/console.mts';
import { STATE } from './lib/paths.mts';

const FOLDER = join(STATE, 'k8s', 'cluster');
const RECORD = join(FOLDER, 'cluster.json');

function recorded(): Cluster | undefined {
  return existsSync(RECORD)
    ? (JSON.parse(readFileSync(RECORD, 'utf8')) as Cluster)
    : undefined;
}

function tell({ version, url, kubeconfig }: Cluster): void {
  say(`Kubernetes ${version} answers at ${url}`);
  say(`kubectl --kubeconfig ${kubeconfig} get namespaces`);
}

const COMMANDS: Record<string, () => Promise<void>> = {
  async up() {
    const old = recorded();
    if (old && (await answers(old, '/readyz'))) {
      tell(old);
      return;
    }
    const programs = await bringControlPlane();
    const cluster = await startCluster(programs, FOLDER);
    writeFileSync(RECORD, JSON.stringify(cluster), { mode: 0o600 });
    tell(cluster);
  },

  async down() {
    const cluster = recorded();
    // Its number may be another program's by now: only what answers as it did is ended.
    if (cluster && (await answers(cluster, '/readyz'))) {
      await endProcesses(cluster.pids);
      say('Kubernetes is down, and what was in it is gone');
    } else {
      say('Kubernetes is not up');
    }
    rmSync(FOLDER, { recursive: true, force: true });
  },

  async status() {
    const cluster = recorded();
    if (cluster && (await answers(cluster, '/readyz'))) tell(cluster);
    else say('Kubernetes is not up; start it with: ./rocket k8s up');
  },
};

async function main() {
  const [name = 'status', ...rest] = process.argv.slice(2);
  if (!Object.hasOwn(COMMANDS, name) || rest.length)
    throw new Failure(
      `There is no command 'k8s ${[name, ...rest].join(' ')}'.`,
      `There are: ${Object.keys(COMMANDS).join(', ')}.`,
    );
  await COMMANDS[name]();
}

main().then(
  () => process.exit(0),
  error => {
    printFailure(error);
    process.exit(1);
  },
);
