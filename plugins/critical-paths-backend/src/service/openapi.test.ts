import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { createAlertRouter } from '../alerts/router';
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
