import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { createAlertRouter } from '../alerts/router';
import { CriticalPathsClient } from '@rocket/plugin-critical-paths-common';
import { createChangesRouter } from '../changes/router';
import { createOpenSloRouter } from '../openslo/router';
import { createWorkflowRouter } from '../workflows/router';
import { createRouter } from './router';

const document = parse(
  readFileSync(join(__dirname, '../schema/openapi.yaml'), 'utf8'),
);

/** `get /names/{name}` for every route that the router has. */
async function routes(): Promise<string[]> {
  const routers = [
    await createRouter({} as Parameters<typeof createRouter>[0]),
    createAlertRouter({} as Parameters<typeof createAlertRouter>[0]),
    createChangesRouter({} as Parameters<typeof createChangesRouter>[0]),
    createOpenSloRouter({} as Parameters<typeof createOpenSloRouter>[0]),
    createWorkflowRouter({} as Parameters<typeof createWorkflowRouter>[0]),
  ];
  return [
    ...new Set(
      routers
        .flatMap(({ stack }) => stack)
        .flatMap(({ route }) =>
          route
            ? route.stack.map(
                ({ method }) =>
                  `${method} ${route.path.replace(/:(\w+)/g, '{$1}')}`,
              )
            : [],
        ),
    ),
  ].sort();
}

it('describes every route, and no other', async () => {
  const described = Object.entries<object>(document.paths).flatMap(
    ([path, methods]) => Object.keys(methods).map(m => `${m} ${path}`),
  );
  expect(described.sort()).toEqual(await routes());
});

it('refers only to what it holds', () => {
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
  expect(refs.length).toBeGreaterThan(0);
  for (const [, path] of refs) {
    const found = path
      .split('/')
      .reduce((value, key) => value?.[key], document);
    expect([path, typeof found]).toEqual([path, 'object']);
  }
});

it('is what the typed client speaks', async () => {
  const asked: { call: string; query: string[] }[] = [];
  const client = new CriticalPathsClient({
    baseUrl: 'http://backend',
    fetchApi: {
      fetch: async (url, init) => {
        const { pathname, searchParams } = new URL(String(url));
        asked.push({
          call: `${init!.method!.toLowerCase()} ${pathname}`,
          query: [...searchParams.keys()],
        });
        return Response.json({});
      },
    },
  });
  const path = { namespace: 'n', name: 'p' };
  const workflow = { ...path, workflow: 'w' };
  const filter = {
    businessModel: ['b'],
    owner: ['o'],
    state: ['healthy' as const],
    q: 'q',
  };
  await client.getBoard({ window: '1h', filter });
  await client.getSignalBoard('uptime', { window: '1h', filter });
  await client.getTeams({ window: '1h', filter });
  await client.getPath(path, { window: '1h' });
  await client.getHistory(path, { months: 2 });
  await client.getComponentPaths({ ...path, kind: 'K' }, { window: '1h' });
  await client.getServiceLevels({ ...path, kind: 'K' });
  await client.getServiceLevelsOfPath(path);
  await client.getGate('component:n/c', { preview: true });
  await client.getAlerts({ pathRef: 'criticalpath:n/p' });
  await client.getMaintenance({ pathRef: 'criticalpath:n/p' });
  await client.declareMaintenance({
    pathRef: 'r',
    from: 'f',
    to: 't',
    reason: 'r',
  });
  await client.withdrawMaintenance('i', 'r');
  await client.resetBudget(path, 'r');
  await client.collect();
  await client.getWorkflows(path, { window: '1h' });
  await client.getWorkflowRuns(workflow, { limit: 1, before: 'b' });
  await client.getWorkflowRun(workflow, 'i');
  await client.startWorkflowRun(workflow);
  await client.getWorkflowScript(workflow);
  await client.exportOpenSlo();
  await client.exportOpenSlo(path);
  await client.importOpenSlo(path, 'apiVersion: openslo/v1');
  const described = Object.entries<any>(document.paths).flatMap(
    ([route, methods]) =>
      Object.entries<any>(methods).map(([method, { parameters = [] }]) => ({
        pattern: new RegExp(
          `^${method} ${route
            .replace(/[.]/g, '[.]')
            .replace(/\{\w+\}/g, '[^/]+')}$`,
        ),
        call: `${method} ${route}`,
        query: parameters
          .map((p: any) =>
            p.$ref
              ? document.components.parameters[p.$ref.split('/').at(-1)]
              : p,
          )
          .filter((p: any) => p.in === 'query')
          .map((p: any) => p.name),
      })),
  );
  const spoken = asked.map(({ call, query }) => {
    const operation = described.find(({ pattern }) => pattern.test(call));
    expect([call, operation?.query]).toEqual([
      call,
      expect.arrayContaining(query),
    ]);
    return operation!.call;
  });
  // Whatever is described can be called, but the document itself, and what
  // critical-paths-node is the client of.
  expect(
    described.map(({ call }) => call).filter(c => !spoken.includes(c)),
  ).toEqual([
    'post /service/changes',
    'post /service/signals',
    'post /service/incidents',
    'get /openapi.json',
  ]);
});
