import { group } from './checks';
import { differences } from './compare';
import { equal, eventually, must } from './expect';
import { newKey, uuidv7 } from './client';

/** Value of a metric without labels in the text format of Prometheus; undefined when it is not there. */
export function metric(text: string, name: string): number | undefined {
  const line = new RegExp(`^${name}(?:\\{\\})? ([^ \\n]+)`, 'm').exec(text);
  return line ? Number(line[1]) : undefined;
}

export const operationChecks = group('operations', {
  'is alive and ready': async ({ client }) => {
    equal((await client.get('/healthz')).body, { status: 'ok' }, '/healthz');
    equal((await client.get('/readyz')).body, { status: 'ready' }, '/readyz');
  },

  'shows metrics for Prometheus, by route and never by id': async ({
    client,
  }) => {
    const [route] = client.contract.operations
      .filter(
        ({ method, path }) => method === 'GET' && /^\/v1\/.*\{id\}$/.test(path),
      )
      .map(({ path }) => path.replace('{id}', uuidv7(Date.now())));
    await client.get(route);
    const answer = await client.get('/metrics');
    equal(answer.status, 200, 'the status');
    must(
      /^http_request_duration_seconds_count\{[^}]*route="\/v1\/[^}]*\} \d+$/m.test(
        answer.text,
      ),
      'http_request_duration_seconds by route is missing',
    );
    must(
      !/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/.test(answer.text),
      'an id is in the metrics',
    );
    must(
      metric(answer.text, 'outbox_oldest_age_seconds') !== undefined,
      'outbox_oldest_age_seconds is missing',
    );
  },

  'offers the API that the contract promises': async ({ client }) => {
    const served = await client.get('/openapi.json');
    equal(served.status, 200, 'the status of /openapi.json');
    equal(
      differences(client.contract.document, served.body),
      [],
      'the differences between the contract and /openapi.json',
    );
  },

  'has a page to try it, without other sites': async ({ client }) => {
    const docs = await client.get('/docs/');
    equal(docs.status, 200, 'the status of /docs/');
    must(
      !/(?:src|href)="(?:https?:)?\/\//.test(docs.text),
      '/docs/ loads something from another site',
    );
  },

  'has a page for each error': async ({ client }) => {
    for (const code of client.contract.problems.keys()) {
      const response = await fetch(`${client.base}/problems/${code}`);
      const text = await response.text();
      equal(response.status, 200, `the status of /problems/${code}`);
      must(text.includes(code), `/problems/${code} does not name the code`);
    }
    for (const unknown of ['nothing', 'constructor', '__proto__'])
      await client.refuse('not-found', 'GET', `/problems/${unknown}`);
  },

  'hides nothing from caches and sniffers': async ({ client }) => {
    const { headers } = await client.get('/v1/nowhere');
    equal(headers.get('cache-control'), 'no-store', 'Cache-Control');
    equal(
      headers.get('x-content-type-options'),
      'nosniff',
      'X-Content-Type-Options',
    );
  },
});

/** 401 and 403, when the service checks tokens itself. `read` and `write` are requests that a good token may make. */
export function authenticationChecks(write: { url: string; body: unknown }) {
  return group('authentication', {
    'wants a valid token and its scopes': {
      skip: ({ client, settings }) =>
        client.token && settings.tokenWithoutScope
          ? undefined
          : 'no tokens were given: set TOKEN and TOKEN_WITHOUT_SCOPE',
      run: async ({ client, settings }) => {
        const nowhere = '0199d5d0-0000-7000-8000-000000000000';
        for (const operation of client.contract.operations) {
          if (!operation.path.startsWith('/v1/')) continue;
          const url = operation.path
            .replaceAll(/\{version\}/g, '1')
            .replaceAll(/\{[^}]+\}/g, nowhere);
          const options = {
            key: newKey(),
            ...(operation.method === 'GET' ? {} : { body: write.body }),
          };
          for (const token of [null, 'x', `${client.token}x`, 'a.b.c'])
            await client.refuse('unauthenticated', operation.method, url, {
              ...options,
              token,
            });
          await client.refuse('forbidden', operation.method, url, {
            ...options,
            token: settings.tokenWithoutScope,
          });
        }
        for (const url of ['/healthz', '/readyz', '/metrics', '/openapi.json'])
          await client.expect(200, 'GET', url, { token: null });
      },
    },
  });
}

/** Tells the process to stop, so nothing can come after it. `slow` is a request that is under way meanwhile. */
export const drainChecks = group('drain', {
  'says that it is not ready, finishes what runs, then stops': {
    skip: ({ settings }) =>
      settings.processId
        ? undefined
        : 'the process is not known: set PROCESS_ID',
    run: async ({ client, settings }) => {
      // Requests without a pause, as a balancer sends them until /readyz says no: each is answered.
      let moved = false;
      let answered = 0;
      const worker = async () => {
        while (!moved) {
          const answer = await client.get('/v1/unknown');
          equal(answer.status, 404, 'an answer during the drain');
          answered += 1;
        }
      };
      const workers = Promise.all([worker(), worker(), worker()]);
      await eventually('some requests', async () =>
        answered > 20 ? true : undefined,
      );
      process.kill(settings.processId!, 'SIGTERM');
      try {
        await eventually(
          '/readyz says no',
          async () => {
            const ready = await client.get('/readyz');
            if (ready.status !== 503) return undefined;
            equal(ready.body.reason, 'draining', 'the reason');
            return true;
          },
          { timeout: 10_000, pause: 5 },
        );
        equal(
          (await client.get('/healthz')).status,
          200,
          '/healthz in a drain',
        );
      } finally {
        moved = true;
      }
      await workers;
      await eventually(
        'the end of the process',
        async () => {
          try {
            process.kill(settings.processId!, 0);
            return undefined;
          } catch {
            return true;
          }
        },
        { timeout: 20_000 },
      );
      const gone = await fetch(`${client.base}/healthz`).then(
        () => 'answered',
        error => error.cause?.code,
      );
      equal(gone, 'ECONNREFUSED', 'a request after the end');
    },
  },
});
