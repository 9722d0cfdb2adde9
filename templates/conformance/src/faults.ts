import { group, type Check } from './checks';
import { PROBLEM, newKey, type Client } from './client';
import { equal, must } from './expect';
import { rawRequest } from './raw';

/** A POST or PUT that takes a body, with an address that exists. */
export type BodyTarget = {
  method: string;
  url(client: Client): Promise<string>;
  /** A body that would be taken. */
  body: unknown;
  headers?: Record<string, string>;
  /** Bytes that are certainly too many: above 64 KiB, above 1 MiB for batches. */
  tooLarge: number;
};

const JSON_TYPE = { 'content-type': 'application/json' };

/** A problem that is answered on the socket, before there is a request: `instance` and `traceId` are not known then. */
function socketProblem(
  client: Client,
  what: string,
  answer: { status: number; headers: Headers; text: string },
  statuses: number[],
): void {
  must(
    statuses.includes(answer.status),
    `${what}: answered ${answer.status}, expected ${statuses.join(' or ')}`,
  );
  equal(
    (answer.headers.get('content-type') ?? '').split(';')[0],
    PROBLEM,
    `${what}: the media type`,
  );
  const body = JSON.parse(answer.text);
  const entry = client.contract.problems.get(body.code);
  must(entry, `${what}: the code ${body.code} is not in problems.yaml`);
  equal(
    [body.status, entry.status],
    [answer.status, answer.status],
    `${what}: the status in the body and in the catalogue`,
  );
  client.coverage.sawCode(body.code);
}

/** Bad bytes, bad JSON, wrong media types, oversize and unknown routes: always a problem, never a page or a stack. */
export function faultChecks(targets: BodyTarget[], reads: string[]): Check[] {
  return group('faults', {
    'unknown routes and methods': async ({ client }) => {
      for (const [method, url] of [
        ['GET', '/'],
        ['GET', '/v2/accounts'],
        ['GET', '/v1'],
        ['GET', '/v1/unknown'],
        ['GET', '/.env'],
        ['GET', '//evil.example/x'],
        ['DELETE', reads[0]],
        ['PATCH', reads[0]],
      ] as const)
        await client.refuse('route-not-found', method, url);
    },

    'addresses that cannot be read': async ({ client }) => {
      for (const url of [`${reads[0]}/%E0%A4%A`, `${reads[0]}/%`]) {
        const answer = await client.get(url);
        must(
          [400, 404].includes(answer.status),
          `${url} answered ${answer.status}`,
        );
      }
      const long = await client.get(`${reads[0]}/${'a'.repeat(500)}`);
      must(
        [400, 404].includes(long.status),
        `a very long id was answered ${long.status}`,
      );
    },

    'bodies that are no JSON': async ({ client }) => {
      for (const target of targets) {
        const url = await target.url(client);
        for (const raw of [
          '',
          '{',
          '{"a":',
          'null garbage',
          '{"a":1}{"b":2}',
          "{'a':1}",
          '{"a":NaN}',
          '\u0000',
          '{"__proto__":{"admin":true}}',
          '{"constructor":{"prototype":{"admin":true}}}',
        ]) {
          const answer = await client.send(target.method, url, {
            raw,
            headers: { ...JSON_TYPE, ...target.headers },
          });
          equal(
            answer.status,
            400,
            `${url} ${JSON.stringify(raw)}: the status`,
          );
          must(
            ['malformed-json', 'validation-failed'].includes(answer.body.code),
            `${url} ${raw}: the code is ${answer.body.code}`,
          );
        }
        for (const raw of ['{', '', '{"a":1}{"b":2}'])
          await client.refuse('malformed-json', target.method, url, {
            raw,
            headers: { ...JSON_TYPE, ...target.headers },
          });
        for (const body of [[], 'text', 5, null, true])
          await client.refuse('validation-failed', target.method, url, {
            body,
            headers: target.headers,
          });
        // Invalid UTF-8 inside a text is refused or replaced, never an error of the service.
        const bytes = Buffer.concat([
          Buffer.from('{"more":"'),
          Buffer.from([0xff, 0xfe, 0xc3]),
          Buffer.from('"}'),
        ]);
        const broken = await client.send(target.method, url, {
          raw: bytes,
          headers: { ...JSON_TYPE, ...target.headers },
        });
        equal(broken.status, 400, `${url} with invalid UTF-8: the status`);
        const deep = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;
        const nested = await client.send(target.method, url, {
          raw: deep,
          headers: { ...JSON_TYPE, ...target.headers },
        });
        equal(nested.status, 400, `${url} with deep nesting: the status`);
      }
    },

    'bodies of another media type': async ({ client }) => {
      for (const target of targets) {
        const url = await target.url(client);
        for (const type of [
          'text/plain',
          'application/x-www-form-urlencoded',
          'application/xml',
          'multipart/form-data; boundary=x',
        ])
          await client.refuse('unsupported-media-type', target.method, url, {
            raw: JSON.stringify(target.body),
            headers: { ...target.headers, 'content-type': type },
          });
      }
    },

    'bodies that are too large': async ({ client }) => {
      for (const target of targets) {
        const url = await target.url(client);
        const raw = JSON.stringify({ padding: 'x'.repeat(target.tooLarge) });
        const { port, host } = new URL(client.base);
        void port;
        // Over a socket of our own: a server may answer before it has read everything.
        const token = client.token
          ? `authorization: Bearer ${client.token}\r\n`
          : '';
        const more = Object.entries(target.headers ?? {})
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('');
        const answer = await rawRequest(
          client.base,
          `${target.method} ${url} HTTP/1.1\r\nhost: ${host}\r\n${token}${more}content-type: application/json\r\n` +
            `idempotency-key: ${newKey()}\r\ncontent-length: ${
              raw.length
            }\r\n\r\n${raw}`,
        );
        const checked = await client.check(
          target.method,
          url,
          answer,
          answer.text,
        );
        equal(checked.body.code, 'payload-too-large', `${url}: the code`);
        // Without Content-Length, in chunks, the limit is the same.
        const chunk = 'x'.repeat(64 * 1024);
        const chunks = Math.ceil(target.tooLarge / chunk.length) + 1;
        const chunked = await rawRequest(
          client.base,
          `${target.method} ${url} HTTP/1.1\r\nhost: ${host}\r\n${token}${more}content-type: application/json\r\n` +
            `idempotency-key: ${newKey()}\r\ntransfer-encoding: chunked\r\n\r\n${`${chunk.length.toString(
              16,
            )}\r\n${chunk}\r\n`.repeat(chunks)}0\r\n\r\n`,
        );
        equal(chunked.status, 413, `${url} in chunks: the status`);
      }
    },

    'bytes that are no HTTP': async ({ client }) => {
      for (const bytes of [
        'NONSENSE\r\n\r\n',
        '\u0000\u0001\u0002\r\n\r\n',
        'GET / HTTP/9.9\r\n\r\n',
        'GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
        'POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
        Buffer.from('16030100a5010000a1', 'hex'),
      ])
        socketProblem(
          client,
          JSON.stringify(bytes.toString()),
          await rawRequest(
            client.base,
            Buffer.concat([Buffer.from(bytes), Buffer.from('\r\n\r\n')]),
          ),
          [400],
        );
      socketProblem(
        client,
        'headers of 80 kB',
        await rawRequest(
          client.base,
          `GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: ${'y'.repeat(
            80_000,
          )}\r\n\r\n`,
        ),
        [431],
      );
      // And it still works.
      await client.expect(200, 'GET', '/healthz');
    },

    'headers that nobody expects': async ({ client }) => {
      for (const headers of [
        { 'x-request-id': `a'; DROP TABLE x; -- ${'z'.repeat(2_000)}` },
        { accept: 'text/html' },
        { 'accept-encoding': 'br, gzip;q=0.1, *;q=0' },
        { 'x-http-method-override': 'DELETE' },
        { range: 'bytes=0-1' },
      ] as Record<string, string>[])
        await client.expect(200, 'GET', '/readyz', { headers });
    },
  });
}
