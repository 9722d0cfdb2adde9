import { ConfigReader } from '@backstage/config';
import { readClusters } from './config';

const PEM = Buffer.from('-----BEGIN CERTIFICATE-----\nx\n').toString('base64');
const read = (...clusterLocatorMethods: any[]) =>
  readClusters(new ConfigReader({ kubernetes: { clusterLocatorMethods } }));
const one = (cluster: object) =>
  read({
    type: 'config',
    clusters: [
      {
        name: 'staging',
        url: 'https://10.0.0.1:6443/',
        authProvider: 'serviceAccount',
        ...cluster,
      },
    ],
  });
const at = 'kubernetes\\.clusterLocatorMethods\\[0\\]\\.clusters\\[0\\]';

describe('the configuration of clusters', () => {
  it('has none when nothing is set, and never one that nobody named', () => {
    expect(readClusters(new ConfigReader({})).clusters).toEqual([]);
    expect(read().clusters).toEqual([]);
    expect(
      read({ type: 'catalog' }, { type: 'gke', projectId: 'p' }).clusters,
    ).toEqual([]);
  });

  it('reads clusters as the stock plugin does', () => {
    expect(
      one({ title: 'Staging', serviceAccountToken: 'abc', caData: PEM })
        .clusters,
    ).toEqual([
      {
        name: 'staging',
        title: 'Staging',
        url: 'https://10.0.0.1:6443',
        credentials: { type: 'token', token: 'abc' },
        caData: PEM,
        caFile: undefined,
        skipTLSVerify: false,
      },
    ]);
    expect(
      one({
        serviceAccountToken: 'abc',
        caFile: '/ca.crt',
        skipTLSVerify: true,
      }).clusters[0],
    ).toMatchObject({ caFile: '/ca.crt', skipTLSVerify: true });
  });

  it('takes the annotations of authMetadata before the fields', () => {
    const authMetadata = {
      'kubernetes.io/auth-provider': 'serviceAccount',
      serviceAccountToken: 'abc',
    };
    expect(
      one({ authProvider: 'google', authMetadata }).clusters[0].credentials,
    ).toEqual({ type: 'token', token: 'abc' });
  });

  it('uses the pod’s own identity without a token, read as it changes', () => {
    const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
    expect(one({}).clusters[0]).toMatchObject({
      credentials: { type: 'token-file', file: `${folder}/token` },
      caFile: `${folder}/ca.crt`,
    });
    expect(one({ caData: PEM }).clusters[0].caFile).toBeUndefined();
  });

  it('knows a local kubectl proxy, which needs no token', () => {
    expect(read({ type: 'localKubectlProxy' }).clusters[0]).toMatchObject({
      name: 'local',
      url: 'http://127.0.0.1:8001',
      credentials: { type: 'none' },
    });
  });

  it('does not act on clusters where it would have to act as the user', () => {
    const { clusters, unusable } = one({ authProvider: 'oidc' });
    expect(clusters).toEqual([]);
    expect(unusable.get('staging')).toContain("its authProvider is 'oidc'");
  });

  it.each([
    [{ name: undefined }, `${at}\\.name is missing`],
    [{ url: undefined }, `${at}\\.url must be the address of the API server`],
    [{ url: 'cluster' }, `${at}\\.url must be the address of the API server`],
    [{ url: 'http://10.0.0.1' }, `${at}\\.url must start with https://`],
    [{ url: 'https://u:p@a' }, `${at}\\.url must not contain a user name`],
    [{ url: 'https://a/?b=c' }, `${at}\\.url must have no query`],
    [{ caData: 'plain' }, `${at}\\.caData must be a PEM certificate in base64`],
    [
      { serviceAccountToken: 'a\nb' },
      `${at}\\.serviceAccountToken must be printable`,
    ],
  ])('names the field of %j', (cluster, message) => {
    expect(() => one(cluster)).toThrow(new RegExp(message));
  });

  it('refuses two clusters of one name', () => {
    const cluster = {
      name: 'local',
      url: 'https://a',
      authProvider: 'serviceAccount',
    };
    expect(() =>
      read(
        { type: 'localKubectlProxy' },
        { type: 'config', clusters: [cluster] },
      ),
    ).toThrow(
      /clusters\[0\]\.name 'local' is already the name of kubernetes\.clusterLocatorMethods\[0\]/,
    );
  });
});
