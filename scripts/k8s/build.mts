import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, say, seconds } from '../lib/console.mts';
import { LOGS, ROOT, STATE } from '../lib/paths.mts';
import { runToEnd } from '../lib/processes.mts';

const MODULE = join(ROOT, 'scripts/k8s');
const PROGRAMS = ['kube-apiserver', 'kube-controller-manager'] as const;
const GO_HOMES = ['/usr/local/go', '/usr/lib/go'];
const VERSION_PACKAGE = 'k8s.io/component-base/version';

/** The programs of a control plane: paths of files, and their version. */
export interface ControlPlane {
  version: string;
  apiServer: string;
  controllerManager: string;
  etcd: string;
}

/** There can be no control plane on this machine, for a reason that is none of ours. */
export class NoControlPlane extends Failure {
  readonly reason: string;

  constructor(reason: string) {
    super('There can be no Kubernetes here.', reason);
    this.reason = reason;
  }
}

/** What Go says when modules are not there and cannot be brought. */
const NO_MODULES =
  /dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|module lookup disabled|proxyconnect|50[234] |403 Forbidden/;

/** Why there can be no control plane on this machine, or undefined when there can be one. */
export function whyNoControlPlane(): string | undefined {
  if (!findEtcd())
    return 'etcd is not on the PATH (on Debian: apt-get install etcd-server)';
  const go = spawnSync(findGo(), ['env', 'GOVERSION'], { encoding: 'utf8' });
  if (go.status !== 0) {
    return `Go is neither on the PATH nor in ${GO_HOMES.join(
      ' or ',
    )} (https://go.dev/dl/)`;
  }
  const [, wanted] = readFileSync(join(MODULE, 'go.mod'), 'utf8').match(
    /^go (\d+\.\d+)/m,
  )!;
  const found = go.stdout.trim().replace(/^go/, '');
  const minor = (version: string) => Number(version.split('.')[1]);
  return minor(found) < minor(wanted)
    ? `Go is ${found}, and Kubernetes needs ${wanted} or later`
    : undefined;
}

/** Go on the PATH, else where its own installer and Debian put it: their folders are not on the PATH of every shell. */
function findGo(): string {
  const places = ['go', ...GO_HOMES.map(home => join(home, 'bin/go'))];
  return (
    places.find(go => spawnSync(go, ['version']).status === 0) ?? places[0]
  );
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
 * The real programs of Kubernetes, built from their Go modules on first use (eight minutes of processor time, half of that on two
 * cores) and kept in `.rocket/k8s`.
 *
 * @throws NoControlPlane when Go, etcd or the modules are not there
 */
export async function bringControlPlane(): Promise<ControlPlane> {
  const reason = whyNoControlPlane();
  if (reason) throw new NoControlPlane(reason);
  const version = kubernetesVersion();
  const folder = join(STATE, 'k8s', version);
  if (!PROGRAMS.every(program => existsSync(join(folder, program)))) {
    const since = Date.now();
    say(`building Kubernetes ${version} (once, four to eight minutes)`);
    await build(version, folder);
    say(`Kubernetes built in ${seconds(since)}`);
  }
  return {
    version,
    apiServer: join(folder, PROGRAMS[0]),
    controllerManager: join(folder, PROGRAMS[1]),
    etcd: findEtcd()!,
  };
}

async function build(version: string, folder: string): Promise<void> {
  // Under another name until it is whole.
  const unfinished = `${folder}.part`;
  const logFile = join(LOGS, 'kubernetes-build.log');
  rmSync(unfinished, { recursive: true, force: true });
  try {
    // Both at once: they share most packages, and one links while the other compiles.
    await runToEnd(
      'Building Kubernetes',
      findGo(),
      [
        'build',
        '-ldflags',
        `-s -w -X ${VERSION_PACKAGE}.gitVersion=${version}`,
        '-o',
        `${unfinished}/`,
        ...PROGRAMS.map(program => `k8s.io/kubernetes/cmd/${program}`),
      ],
      {
        cwd: MODULE,
        logFile,
        env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' },
      },
    );
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    const line = readFileSync(logFile, 'utf8')
      .split('\n')
      .find(one => NO_MODULES.test(one));
    throw line
      ? new NoControlPlane(`its Go modules cannot be had: ${line.trim()}`)
      : error;
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(unfinished, folder);
}
