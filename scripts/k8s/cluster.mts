import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { Failure } from '../lib/console.mts';
import { tail } from '../lib/processes.mts';
import { freePort } from '../lib/testPostgres.mts';
import type { ControlPlane } from './build.mts';

/** What needs no nodes: nothing here starts a container, so pods stay pending. */
const CONTROLLERS = [
  'clusterrole-aggregation-controller',
  'cronjob-controller',
  'deployment-controller',
  'disruption-controller',
  'endpointslice-controller',
  'garbage-collector-controller',
  'horizontal-pod-autoscaler-controller',
  'job-controller',
  'namespace-controller',
  'replicaset-controller',
  'resourcequota-controller',
  'serviceaccount-controller',
  'statefulset-controller',
  'ttl-after-finished-controller',
];
const READY_MS = 90_000;

/** A control plane that runs: etcd, API server and controllers, without nodes. */
export interface Cluster {
  version: string;
  /** Base URL of the API server, on the loopback. */
  url: string;
  /** Bearer token of a cluster administrator. */
  token: string;
  /** PEM file that vouches for the API server's certificate. */
  caFile: string;
  /** File with all of this, for kubectl and the Kubernetes clients. */
  kubeconfig: string;
  /** Process ids, in the order in which they were started. */
  pids: number[];
}

/** Ends processes, the last first, and waits until they are gone. */
export async function endProcesses(pids: number[]): Promise<void> {
  for (const pid of [...pids].reverse()) {
    const deadline = Date.now() + 10_000;
    let signal: NodeJS.Signals | 0 = 'SIGTERM';
    for (;;) {
      try {
        process.kill(pid, signal);
      } catch {
        break;
      }
      signal = Date.now() > deadline ? 'SIGKILL' : 0;
      await sleep(50);
    }
  }
}

/**
 * Starts a control plane of its own in `folder`, on free ports of the loopback. It runs on when this process ends; end it with
 * `endProcesses(cluster.pids)`. `pids` fills as they start.
 */
export async function startCluster(
  programs: ControlPlane,
  folder: string,
  pids: number[] = [],
): Promise<Cluster> {
  rmSync(folder, { recursive: true, force: true });
  // Keys and tokens lie in it.
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const at = (name: string) => join(folder, name);
  const [client, peer, secure, controllers] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const cluster: Cluster = {
    version: programs.version,
    url: `https://127.0.0.1:${secure}`,
    token: randomBytes(24).toString('hex'),
    caFile: at('certs/apiserver.crt'),
    kubeconfig: at('kubeconfig'),
    pids,
  };
  const stranger = randomBytes(24).toString('hex');
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  writeFileSync(at('sa.key'), keys.privateKey);
  writeFileSync(at('sa.pub'), keys.publicKey);
  writeFileSync(
    at('tokens.csv'),
    `${cluster.token},rocket,rocket,"system:masters"\n${stranger},stranger,stranger\n`,
  );
  writeFileSync(cluster.kubeconfig, kubeconfigOf(cluster, stranger));

  const start = (name: string, command: string, args: string[]) => {
    const log = openSync(at(`${name}.log`), 'w');
    const child = spawn(command, args, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    if (child.pid !== undefined) cluster.pids.push(child.pid);
    return child;
  };

  try {
    start('etcd', programs.etcd, [
      `--data-dir=${at('etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    ]);
    const apiServer = start('kube-apiserver', programs.apiServer, [
      `--etcd-servers=http://127.0.0.1:${client}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${secure}`,
      `--cert-dir=${at('certs')}`,
      '--authorization-mode=RBAC',
      `--token-auth-file=${at('tokens.csv')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${at('sa.pub')}`,
      `--service-account-signing-key-file=${at('sa.key')}`,
      '--service-cluster-ip-range=10.0.0.0/24',
    ]);
    await until(cluster, '/readyz', apiServer, at('kube-apiserver.log'));
    const manager = start(
      'kube-controller-manager',
      programs.controllerManager,
      [
        `--kubeconfig=${cluster.kubeconfig}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${controllers}`,
        `--cert-dir=${at('certs')}`,
        `--root-ca-file=${cluster.caFile}`,
        `--service-account-private-key-file=${at('sa.key')}`,
        '--leader-elect=false',
        `--controllers=${CONTROLLERS.join(',')}`,
      ],
    );
    // Made by a controller: it is there when they work.
    await until(
      cluster,
      '/api/v1/namespaces/default/serviceaccounts/default',
      manager,
      at('kube-controller-manager.log'),
    );
  } catch (error) {
    await endProcesses(cluster.pids);
    throw error;
  }
  return cluster;
}

/** With a second user `stranger`, who has no role: for tests of what is forbidden. */
function kubeconfigOf(
  { url, caFile, token }: Cluster,
  stranger: string,
): string {
  const name = 'rocket';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name, cluster: { server: url, 'certificate-authority': caFile } },
    ],
    users: [
      { name, user: { token } },
      { name: 'stranger', user: { token: stranger } },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
}

/** Whether the API server answers a GET with 200. */
export async function answers(
  { url, token, caFile }: Pick<Cluster, 'url' | 'token' | 'caFile'>,
  path: string,
): Promise<boolean> {
  return await new Promise(done => {
    try {
      const call = request(
        `${url}${path}`,
        {
          ca: readFileSync(caFile),
          headers: { Authorization: `Bearer ${token}` },
          timeout: 2000,
        },
        response => {
          response.resume();
          done(response.statusCode === 200);
        },
      );
      call.once('timeout', () => call.destroy());
      call.once('error', () => done(false));
      call.end();
    } catch {
      // The certificate is not written yet.
      done(false);
    }
  });
}

async function until(
  cluster: Cluster,
  path: string,
  child: ChildProcess,
  log: string,
): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!(await answers(cluster, path))) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Failure(
        'The Kubernetes control plane does not start.',
        ...tail(log, 15),
        `The whole log: ${log}`,
      );
    await sleep(100);
  }
}
