import { group, type Check, type Context } from './checks';
import { newKey, uuidv7, type Client } from './client';
import { equal, must } from './expect';

/** How to make one request of an operation that needs an Idempotency-Key, with fresh resources so that it succeeds once. */
export type Decision = {
  operation: string;
  prepare(client: Client): Promise<{
    url: string;
    body: Record<string, unknown>;
    /** The same request with another meaning. */
    other: Record<string, unknown>;
    /** How often the decision took effect, read back over the API; undefined when that cannot be read. */
    effects: (() => Promise<number>) | undefined;
  }>;
  /** A request of the same operation that is decided against: the refusal is an answer like any other. */
  refused?(client: Client): Promise<{
    url: string;
    body: unknown;
    code: string;
    cure(): Promise<void>;
  }>;
  /** Status of a new decision: 201. */
  status?: number;
};

const DAY = 86_400_000;

async function effective(
  effects: (() => Promise<number>) | undefined,
  expected: number,
): Promise<void> {
  if (effects) equal(await effects(), expected, 'the number of effects');
}

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, inner]) => [name, reversed(inner)]),
  );
}

/** Missing key, replay, mismatch, concurrent duplicates, keys that are too old: for each operation that decides something. */
export function idempotencyChecks(decisions: Decision[]): Check[] {
  const each =
    (
      run: (
        client: Client,
        decision: Decision,
        context: Context,
      ) => Promise<void>,
    ) =>
    async (context: Context) => {
      const { client } = context;
      for (const decision of decisions) {
        try {
          await run(client, decision, context);
        } catch (error: any) {
          error.message = `${decision.operation}: ${error.message}`;
          throw error;
        }
      }
    };
  return group('idempotency', {
    'needs a key of printable characters': each(async (client, decision) => {
      const { url, body, effects } = await decision.prepare(client);
      await client.refuse('idempotency-key-missing', 'POST', url, {
        body,
        key: null,
      });
      for (const key of ['x'.repeat(256), 'a b', 'ü'.repeat(3)])
        await client.refuse('validation-failed', 'POST', url, {
          body,
          key: null,
          headers: {
            'idempotency-key': Buffer.from(key, 'utf8').toString('latin1'),
          },
        });
      await effective(effects, 0);
    }),

    'answers the same request alike and does it once': each(
      async (client, decision) => {
        const { url, body, effects } = await decision.prepare(client);
        const key = newKey();
        const first = await client.post(url, body, { key });
        equal(first.status, decision.status ?? 201, 'the status');
        // The order of members and white space mean nothing in JSON.
        const again = await client.post(url, undefined, {
          key,
          raw: JSON.stringify(reversed(body), null, 2),
          headers: { 'content-type': 'application/json; charset=utf-8' },
        });
        equal(again.status, 200, 'the status of a repetition');
        equal(
          again.headers.get('idempotent-replayed'),
          'true',
          'Idempotent-Replayed',
        );
        equal(again.body, first.body, 'the body of a repetition');
        if (first.headers.has('location'))
          equal(
            again.headers.get('location'),
            first.headers.get('location'),
            'Location of a repetition',
          );
        await effective(effects, 1);
      },
    ),

    'refuses another request under a used key': each(
      async (client, decision) => {
        const { url, body, other, effects } = await decision.prepare(client);
        const key = newKey();
        await client.expect(decision.status ?? 201, 'POST', url, { body, key });
        await client.refuse('idempotency-mismatch', 'POST', url, {
          body: other,
          key,
        });
        await effective(effects, 1);
        const again = await client.post(url, body, { key });
        equal(again.status, 200, 'the first request is still answered');
      },
    ),

    'carries out concurrent duplicates once': each(async (client, decision) => {
      const { url, body, effects } = await decision.prepare(client);
      const key = newKey();
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => client.post(url, body, { key })),
      );
      const first = answers.filter(
        answer => !answer.headers.has('idempotent-replayed'),
      );
      equal(first.length, 1, 'the number of answers that were not repetitions');
      for (const answer of answers) {
        must(
          [200, decision.status ?? 201].includes(answer.status),
          `a duplicate was answered ${answer.status}`,
        );
        equal(answer.body, first[0].body, 'the body of a duplicate');
      }
      await effective(effects, 1);
    }),

    'gives a refusal again, even when it would be allowed by now': each(
      async (client, decision) => {
        if (!decision.refused) return;
        const { url, body, code, cure } = await decision.refused(client);
        const key = newKey();
        const first = await client.refuse(code, 'POST', url, { body, key });
        await cure();
        const again = await client.post(url, body, { key });
        equal(again.status, first.status, 'the status of a repetition');
        equal(
          again.headers.get('idempotent-replayed'),
          'true',
          'Idempotent-Replayed',
        );
        const { traceId: _a, ...was } = first;
        const { traceId: _b, ...is } = again.body;
        equal(is, was, 'the body of a repetition');
        await client.expect(decision.status ?? 201, 'POST', url, { body });
      },
    ),

    'refuses keys that say themselves that they are forgotten': each(
      async (client, decision) => {
        const { url, body, effects } = await decision.prepare(client);
        await client.refuse('idempotency-key-expired', 'POST', url, {
          body,
          key: uuidv7(Date.now() - 40 * DAY),
        });
        await effective(effects, 0);
        // A clock that is ahead, and a key of yesterday, are fine.
        await client.expect(decision.status ?? 201, 'POST', url, {
          body,
          key: uuidv7(Date.now() + 5 * 60_000),
        });
        await effective(effects, 1);
      },
    ),

    'keeps the keys of two clients apart': {
      skip: ({ client, settings }) =>
        client.token === undefined || settings.tokenOfAnother
          ? undefined
          : 'the client is named by the token: set TOKEN_OF_ANOTHER',
      run: each(async (client, decision, { settings }) => {
        const one = await decision.prepare(client);
        const two = await decision.prepare(client);
        const key = newKey();
        const status = decision.status ?? 201;
        await client.expect(status, 'POST', one.url, { body: one.body, key });
        await client.expect(status, 'POST', two.url, {
          body: two.body,
          key,
          client: `${client.clientId}-two`,
          ...(settings.tokenOfAnother && { token: settings.tokenOfAnother }),
        });
        await effective(one.effects, 1);
        await effective(two.effects, 1);
      }),
    },
  });
}
