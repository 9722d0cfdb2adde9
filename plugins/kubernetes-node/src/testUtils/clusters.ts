/* eslint-disable jest/no-export, jest/valid-title, jest/valid-describe-callback, jest/no-disabled-tests, jest/expect-expect -- for several test files */
import type { LoggerService } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Caller, type CallerOptions } from '../caller';
import { readClusters } from '../config';
import { ClientNodeConnection } from '../connection';
import { DefaultKubernetesClient } from '../DefaultKubernetesClient';
import type { KubernetesClient } from '../types';

/** Names a kubeconfig with a token; `./rocket test k8s` sets it. */
const VARIABLE = 'ROCKET_TEST_KUBECONFIG';

/** An API server for tests. */
export interface TestCluster {
  name: string;
  url: string;
  token: string;
  /** Of a user who may do nothing. */
  strangersToken: string;
  caFile?: string;
}

/** The real API server that these tests may use, or undefined when there is none. */
export function realCluster(): TestCluster | undefined {
  const file = process.env[VARIABLE];
  if (!file) return undefined;
  const { clusters, users } = parse(readFileSync(file, 'utf8'));
  return {
    name: 'real',
    url: clusters[0].cluster.server,
    caFile: clusters[0].cluster['certificate-authority'],
    token: users[0].user.token,
    strangersToken: users[1].user.token,
  };
}

/**
 * A suite that needs a real API server. Where there is none it is reported as
 * skipped, and its title says so.
 */
export function describeOnCluster(
  title: string,
  suite: (cluster: TestCluster) => void,
): void {
  const cluster = realCluster();
  if (cluster) {
    describe(title, () => suite(cluster));
    return;
  }
  describe.skip(`${title}: NOT RUN, because ${VARIABLE} names no cluster; run: ./rocket test k8s`, () => {
    it('needs a real API server', () => {});
  });
}

/** The configuration, as in app-config, that leads to these clusters. */
export function clusterConfig(
  ...clusters: Omit<TestCluster, 'strangersToken'>[]
): JsonObject {
  return {
    kubernetes: {
      clusterLocatorMethods: [
        {
          type: 'config',
          clusters: clusters.map(({ name, url, token, caFile }) => ({
            name,
            url,
            authProvider: 'serviceAccount',
            serviceAccountToken: token,
            ...(caFile ? { caFile } : {}),
          })),
        },
      ],
    },
  };
}

const silent: LoggerService = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silent,
};

/** A client of a cluster, as the service gives it; `close` ends its connections. */
export function connect(
  cluster: Omit<TestCluster, 'strangersToken'>,
  options: Partial<Pick<CallerOptions, 'logger' | 'random' | 'delay'>> = {},
): { client: KubernetesClient; close(): void } {
  const [settings] = readClusters(
    new ConfigReader(clusterConfig(cluster)),
  ).clusters;
  const connection = new ClientNodeConnection(settings);
  return {
    client: new DefaultKubernetesClient(
      new Caller({
        logger: silent,
        ...options,
        cluster: cluster.name,
        connection,
      }),
    ),
    close: () => connection.close(),
  };
}
