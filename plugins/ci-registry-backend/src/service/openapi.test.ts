import type express from 'express';
import { createDeliveryRouter } from './delivery/router';
import { createDocumentsRouter } from './documents/router';
import { createFreshnessRouter } from './freshness/router';
import { createHistoryRouter } from './historyRouter';
import { createDecisionsRouter } from './identity/decisionsRouter';
import { loadOpenApi } from './openapi';
import { createPipelineRouter } from './pipelineRouter';
import { createPushRouter } from './pushRouter';
import { createRouter } from './router';

type Layer = express.Router['stack'][number];

function routesOf(stack: Layer[]): string[] {
  return stack.flatMap(({ route, handle }) => {
    if (route) {
      return route.stack.map(
        ({ method }) => `${method} ${route.path.replace(/:(\w+)/g, '{$1}')}`,
      );
    }
    return routesOf((handle as unknown as express.Router).stack ?? []);
  });
}

/** `get /names/{name}` for every route that the router has. */
async function routes(): Promise<string[]> {
  const nothing = {} as never;
  const { stack } = await createRouter({
    ...({} as Parameters<typeof createRouter>[0]),
    parts: [
      createPushRouter(nothing),
      createPipelineRouter(nothing),
      createHistoryRouter(nothing),
      createDecisionsRouter(nothing),
      createDeliveryRouter(nothing),
      createDocumentsRouter(nothing),
      createFreshnessRouter(nothing),
    ],
  });
  return [...new Set(routesOf(stack))].sort();
}

it('describes every route, and no other', async () => {
  const document = await loadOpenApi();
  const described = Object.entries<object>(document.paths).flatMap(
    ([path, methods]) => Object.keys(methods).map(m => `${m} ${path}`),
  );
  expect(described.sort()).toEqual(await routes());
});

it('refers only to what it holds', async () => {
  const document = await loadOpenApi();
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
  expect(refs.length).toBeGreaterThan(0);
  for (const [, path] of refs) {
    const found = path
      .split('/')
      .reduce((value, key) => value?.[key], document);
    expect([path, typeof found]).toEqual([path, 'object']);
  }
});
