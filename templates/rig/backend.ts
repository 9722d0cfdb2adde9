/** The real scaffolder with Rocket's actions, in this process: what it offers, and dry runs. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createServiceFactory } from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import scaffolderModuleRocket from '@rocket/plugin-scaffolder-backend-module-rocket';
import { fetchBaseOf } from './render';
import { filesOf, readTemplate, type Answers } from './templates';

export type Action = {
  id: string;
  schema?: {
    input?: { properties?: Record<string, unknown>; required?: string[] };
  };
};

export type DryRun = {
  files: { path: string; content: Buffer; executable: boolean }[];
  /** Entity refs, links and texts, as the portal's last page shows them. */
  output: { links?: { title: string; entityRef?: string; url?: string }[] };
  /** Steps that ran, in their order. */
  steps: string[];
};

export type Scaffolder = {
  actions: Action[];
  /** Throws an Error with the reason that the scaffolder gives. */
  dryRun(template: string, answers: Answers, root: string): Promise<DryRun>;
  /** Calls that would have changed something; a dry run makes none. */
  sideEffects: string[];
  stop(): Promise<void>;
};

/** A service that answers `answers` and writes every other call down as a side effect. */
function harmless(
  name: string,
  answers: Record<string, (...args: any[]) => unknown>,
  sideEffects: string[],
): any {
  return new Proxy(answers, {
    // Whatever has a `then` is taken for a promise.
    get: (target, method) =>
      target[String(method)] ??
      (method === 'then' || typeof method === 'symbol'
        ? undefined
        : async () => {
            sideEffects.push(`${name}.${String(method)}`);
            throw new Error(
              `${name}.${String(method)} was called in a dry run`,
            );
          }),
  });
}

export async function startScaffolder(): Promise<Scaffolder> {
  const sideEffects: string[] = [];
  const provisioning = harmless(
    'provisioning',
    {
      checkName: async (name: string) => ({ name, available: true }),
      preflight: async () => ({ passed: true, findings: [] }),
      planNewRelic: async () => ({
        effects: [],
        summary: ['alert policy', 'dashboard'],
      }),
    },
    sideEffects,
  );
  const registry = harmless('ciRegistry', {}, sideEffects);
  const backend = await startTestBackend({
    features: [
      scaffolderPlugin,
      scaffolderModuleRocket,
      catalogServiceMock.factory(),
      mockServices.rootConfig.factory({
        data: { backend: { baseUrl: 'http://localhost' }, scaffolder: {} },
      }),
      createServiceFactory({
        service: provisioningServiceRef,
        deps: {},
        factory: () => provisioning,
      }),
      createServiceFactory({
        service: ciRegistryServiceRef,
        deps: {},
        factory: () => registry,
      }),
    ],
  });
  const { port } = backend.server.address() as AddressInfo;
  const api = `http://127.0.0.1:${port}/api/scaffolder/v2`;
  const actions: Action[] = await (await fetch(`${api}/actions`)).json();

  return {
    actions,
    sideEffects,
    async dryRun(name, answers, root) {
      const template = readTemplate(name, root);
      // Relative addresses start at this folder, as they do in the catalog.
      const folder = path.dirname(fetchBaseOf(name, root));
      const directoryContents = filesOf(folder)
        .filter(file => !/^(rig|conformance)\/|(^|\/)node_modules\//.test(file))
        .map(file => ({
          path: file,
          base64Content: readFileSync(path.join(folder, file)).toString(
            'base64',
          ),
        }));
      const response = await fetch(`${api}/dry-run`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          template,
          values: answers,
          secrets: {},
          directoryContents,
        }),
      });
      const body: any = await response.json();
      if (!response.ok) {
        const reason = body.error?.message ?? body.errors?.[0]?.message;
        throw new Error(
          `dry run: ${response.status} ${
            reason ?? JSON.stringify(body).slice(0, 500)
          }`,
        );
      }
      return {
        files: body.directoryContents.map((file: any) => ({
          path: file.path,
          content: Buffer.from(file.base64Content, 'base64'),
          executable: Boolean(file.executable),
        })),
        output: body.output,
        steps: [
          ...new Set<string>(
            body.log
              .map((line: any) => line.body.stepId)
              .filter((id: unknown) => typeof id === 'string'),
          ),
        ],
      };
    },
    stop: () => backend.stop(),
  };
}
