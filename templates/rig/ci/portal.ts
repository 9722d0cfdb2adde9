/** The portal's backend as far as a pipeline meets it, and a Git host whose tokens it takes; both in this process, on loopback. */
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createServiceFactory } from '@backstage/backend-plugin-api';
import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import { eventsServiceRef } from '@backstage/plugin-events-node';
import catalogModuleCiRegistry from '@rocket/plugin-catalog-backend-module-ci-registry';
import catalogModuleCriticalPaths from '@rocket/plugin-catalog-backend-module-critical-paths';
import ciRegistryPlugin from '@rocket/plugin-ci-registry-backend';
import criticalPathsPlugin from '@rocket/plugin-critical-paths-backend';

const EXAMPLES = path.resolve(__dirname, '../../../examples/all.yaml');

/** Signs what GitHub Actions would, with a key of its own. */
export class GitHost {
  readonly #keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  readonly #server = createServer((_request, response) => {
    const jwk = this.#keys.publicKey.export({ format: 'jwk' });
    response.end(
      JSON.stringify({
        keys: [{ ...jwk, kid: 'rig', alg: 'RS256', use: 'sig' }],
      }),
    );
  });

  static async start(): Promise<GitHost> {
    const host = new GitHost();
    await new Promise<void>(resolve =>
      host.#server.listen(0, '127.0.0.1', resolve),
    );
    return host;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A token for a job of a push to main. */
  token(claims: {
    audience: string;
    repository: string;
    sha: string;
    runId: string;
    job: string;
    environment?: string;
  }): string {
    const now = Math.floor(Date.now() / 1000);
    const { repository, environment } = claims;
    const payload = {
      iss: this.url,
      aud: claims.audience,
      sub: environment
        ? `repo:${repository}:environment:${environment}`
        : `repo:${repository}:ref:refs/heads/main`,
      jti: randomUUID(),
      iat: now,
      nbf: now,
      exp: now + 300,
      repository,
      repository_id: '1001',
      repository_owner: repository.split('/')[0],
      repository_owner_id: '2001',
      ref: 'refs/heads/main',
      ref_type: 'branch',
      ref_protected: 'true',
      sha: claims.sha,
      event_name: 'push',
      head_ref: '',
      base_ref: '',
      run_id: claims.runId,
      run_attempt: '1',
      check_run_id: claims.job,
      ...(environment ? { environment } : {}),
    };
    const encode = (value: object) =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${encode({ alg: 'RS256', kid: 'rig', typ: 'JWT' })}.${encode(
      payload,
    )}`;
    const signature = sign(
      'RSA-SHA256',
      Buffer.from(text),
      this.#keys.privateKey,
    );
    return `${text}.${signature.toString('base64url')}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

export type Portal = {
  url: string;
  /** What a user of the portal sees there; undefined for 404. */
  read(plugin: string, address: string): Promise<any>;
  stop(): Promise<void>;
};

/** Catalog, critical paths and CI registry with the demo organisation; `host` may push for `https://github.com/acme/*`. */
export async function startPortal(
  host: GitHost,
  audience: string,
): Promise<Portal> {
  // One bus for all plugins, as in a real backend; the mock makes one for each.
  const bus = mockServices.events();
  const backend = await startTestBackend({
    features: [
      catalogPlugin,
      catalogModuleCiRegistry,
      catalogModuleCriticalPaths,
      criticalPathsPlugin,
      ciRegistryPlugin,
      createServiceFactory({
        service: eventsServiceRef,
        deps: {},
        factory: () => bus,
      }),
      mockServices.rootConfig.factory({
        data: {
          backend: { baseUrl: 'http://localhost' },
          catalog: {
            rules: [
              {
                allow: [
                  ...['Component', 'System', 'API', 'Resource', 'Location'],
                  ...['Domain', 'Group', 'User', 'CriticalPath'],
                ],
              },
            ],
            locations: [{ type: 'file', target: EXAMPLES }],
            stitchingStrategy: { pollingInterval: { milliseconds: 200 } },
          },
          ciRegistry: {
            identity: {
              audience,
              issuers: [
                {
                  name: 'github',
                  type: 'github',
                  issuer: host.url,
                  jwksUrl: `${host.url}/keys`,
                },
              ],
              rules: [
                {
                  name: 'acme',
                  from: 'github',
                  repositories: 'https://github.com/acme/*',
                  namespaces: 'default',
                  environments: [
                    {
                      name: 'production',
                      branches: 'main',
                      protected: true,
                      claimed: true,
                    },
                  ],
                },
              ],
            },
          },
        },
      }),
    ],
  });
  const { port } = backend.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    async read(plugin, address) {
      const response = await fetch(`${url}/api/${plugin}/${address}`, {
        headers: { authorization: mockCredentials.user.header() },
      });
      if (response.status === 404) return undefined;
      if (!response.ok)
        throw new Error(
          `${address} answers ${response.status}: ${await response.text()}`,
        );
      return response.json();
    },
    async stop() {
      await backend.stop();
    },
  };
}
