import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, say, seconds } from '../lib/console.mts';
import { LOGS, ROOT, STATE } from '../lib/paths.mts';
import { runToEnd } from '../lib/processes.mts';

const MODULE = join(ROOT, 'scripts/k8s');
const PROGRAMS = ['kube-apiserver', 'kube-controller-manager'] as const;
const VERSION_PACKAGE = 'k8s.io/component-base/version';

/** The programs of a control plane: paths of files, and their version. */
export interface ControlPlane {
  version: string;
  apiServer: string;
  controllerManager: string;
  etcd: string;
}

/** Why there can be no control plane on this machine, or undefined when there can be one. */
export function whyNoControlPlane(): string | undefined {
  if (!findEtcd())
    return 'etcd is not on the PATH (on Debian: apt-get install etcd-server)';
  const go = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  if (go.status !== 0) return 'Go is not on the PATH (https://go.dev/dl/)';
  const [, wanted] = readFileSync(join(MODULE, 'go.mod'), 'utf8').match(
    /^go (\d+\.\d+)/m,
  )!;
  const found = go.stdout.trim().replace(/^go/, '');
  const minor = (version: string) => Number(version.split('.')[1]);
  return minor(found) < minor(wanted)
    ? `Go is ${found}, and Kubernetes needs ${wanted} or later`
    : undefined;
}

function findEtcd(): string | undefined {
  const found = spawnSync('sh', ['-c', 'command -v etcd'], {
    encoding: 'utf8',
  });
  return found.stdout.trim() || undefined;
}

function kubernetesVersion(): string {
  return readFileSync(join(MODULE, 'go.mod'), 'utf8').match(
    /^\s*(?:require )?k8s\.io\/kubernetes (v\S+)/m,
  )![1];
}

/**
 * The real programs of Kubernetes, built from their Go module on first use (about five minutes on two cores) and kept in
 * `.rocket/k8s`. A `Failure` when Go or etcd is not there.
 */
export async function bringControlPlane(): Promise<ControlPlane> {
  const reason = whyNoControlPlane();
  if (reason) throw new Failure('There can be no Kubernetes here.', reason);
  const version = kubernetesVersion();
  const folder = join(STATE, 'k8s', version);
  for (const program of PROGRAMS) {
    const file = join(folder, program);
    if (existsSync(file)) continue;
    const since = Date.now();
    say(`building ${program} ${version} (once, two to four minutes)`);
    mkdirSync(folder, { recursive: true });
    await runToEnd(
      `Building ${program}`,
      'go',
      [
        'build',
        '-ldflags',
        `-s -w -X ${VERSION_PACKAGE}.gitVersion=${version}`,
        // Under another name until it is whole.
        '-o',
        `${file}.part`,
        `k8s.io/kubernetes/cmd/${program}`,
      ],
      {
        cwd: MODULE,
        logFile: join(LOGS, `${program}-build.log`),
        env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' },
      },
    );
    renameSync(`${file}.part`, file);
    say(`${program} built in ${seconds(since)}`);
  }
  return {
    version,
    apiServer: join(folder, PROGRAMS[0]),
    controllerManager: join(folder, PROGRAMS[1]),
    etcd: findEtcd()!,
  };
}
