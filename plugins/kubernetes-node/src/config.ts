import type { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { isIP } from 'node:net';
import type { KubernetesCluster } from './types';

/** How Rocket proves who it is: a fixed token, a file that is read again as it changes, or a proxy that does. */
export type ClusterCredentials =
  | { type: 'token'; token: string }
  | { type: 'token-file'; file: string }
  | { type: 'none' };

/** A cluster with what is needed to reach it; stays inside this package. */
export interface ClusterSettings extends KubernetesCluster {
  credentials: ClusterCredentials;
  /** Base64 of PEM. */
  caData?: string;
  caFile?: string;
  skipTLSVerify: boolean;
}

/** Clusters that Rocket acts on, and why it does not on the others. */
export interface ClustersSettings {
  clusters: ClusterSettings[];
  /** Name and reason. */
  unusable: Map<string, string>;
}

const IN_CLUSTER = '/var/run/secrets/kubernetes.io/serviceaccount';
const LOCAL_PROXY: ClusterSettings = {
  name: 'local',
  url: 'http://127.0.0.1:8001',
  credentials: { type: 'none' },
  skipTLSVerify: false,
};

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    host === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

function readUrl(config: Config, path: string): string {
  const value = config.getOptionalString('url');
  let url: URL;
  try {
    url = new URL(value ?? '');
  } catch {
    throw new InputError(
      `${path}.url must be the address of the API server, for example https://10.0.0.1:6443`,
    );
  }
  if (url.username || url.password)
    throw new InputError(
      `${path}.url must not contain a user name or password; the token belongs in serviceAccountToken`,
    );
  if (
    url.protocol !== 'https:' &&
    !(url.protocol === 'http:' && isLoopback(url.hostname))
  )
    throw new InputError(
      `${path}.url must start with https://, since a token travels with each request; ` +
        `http:// is allowed only on this machine (localhost, 127.0.0.1, [::1])`,
    );
  if (url.search || url.hash)
    throw new InputError(`${path}.url must have no query and no fragment`);
  return url.toString().replace(/\/+$/, '');
}

function readCluster(
  config: Config,
  path: string,
  name: string,
): ClusterSettings | string {
  const metadata = config.getOptional<Record<string, string>>('authMetadata');
  // The stock plugin lets the annotation win, so it does here.
  const provider =
    metadata?.['kubernetes.io/auth-provider'] ??
    config.getOptionalString('authProvider');
  if (provider !== 'serviceAccount' && provider !== 'localKubectlProxy')
    return `its authProvider is '${provider}', and Rocket acts with its own identity: serviceAccount or localKubectlProxy`;
  const token =
    metadata?.serviceAccountToken ??
    config.getOptionalString('serviceAccountToken');
  // Also keeps line breaks out of the header.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new InputError(
      `${path}.serviceAccountToken must be printable ASCII without blanks`,
    );
  const caData = config.getOptionalString('caData');
  if (
    caData &&
    !Buffer.from(caData, 'base64').toString().includes('-----BEGIN CERT')
  )
    throw new InputError(
      `${path}.caData must be a PEM certificate in base64, as certificate-authority-data of a kubeconfig`,
    );
  let credentials: ClusterCredentials = {
    type: 'token-file',
    file: `${IN_CLUSTER}/token`,
  };
  if (provider === 'localKubectlProxy') credentials = { type: 'none' };
  else if (token) credentials = { type: 'token', token };
  const inCluster = credentials.type === 'token-file';
  return {
    name,
    title: config.getOptionalString('title'),
    url: readUrl(config, path),
    credentials,
    caData,
    caFile:
      config.getOptionalString('caFile') ??
      (inCluster && !caData ? `${IN_CLUSTER}/ca.crt` : undefined),
    skipTLSVerify: config.getOptionalBoolean('skipTLSVerify') ?? false,
  };
}

/**
 * Reads the clusters of the stock Kubernetes plugin's configuration,
 * `kubernetes.clusterLocatorMethods`: of its types `config` and
 * `localKubectlProxy`. Without any there are no clusters.
 *
 * @throws InputError naming the field and what it may be
 */
export function readClusters(rootConfig: Config): ClustersSettings {
  const settings: ClustersSettings = { clusters: [], unusable: new Map() };
  const names = new Map<string, string>();
  const key = 'kubernetes.clusterLocatorMethods';
  const claim = (name: string, path: string) => {
    if (names.has(name))
      throw new InputError(
        `${path} '${name}' is already the name of ${names.get(
          name,
        )}; names must be unique`,
      );
    names.set(name, path);
  };
  (rootConfig.getOptionalConfigArray(key) ?? []).forEach((method, m) => {
    const type = method.getString('type');
    if (type === 'localKubectlProxy') {
      claim(LOCAL_PROXY.name, `${key}[${m}]`);
      settings.clusters.push(LOCAL_PROXY);
    }
    if (type !== 'config') return;
    (method.getOptionalConfigArray('clusters') ?? []).forEach((config, c) => {
      const path = `${key}[${m}].clusters[${c}]`;
      const name = config.getOptionalString('name');
      if (!name) throw new InputError(`${path}.name is missing`);
      claim(name, `${path}.name`);
      const cluster = readCluster(config, path, name);
      if (typeof cluster === 'string') settings.unusable.set(name, cluster);
      else settings.clusters.push(cluster);
    });
  });
  return settings;
}
