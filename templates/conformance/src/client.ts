import { randomBytes, randomUUID } from 'node:crypto';
import type { Contract, Operation } from './contract';
import type { Coverage } from './coverage';
import { equal, must, show } from './expect';

export type Answer = {
  status: number;
  headers: Headers;
  /** Parsed JSON, or undefined when there is none. */
  body: any;
  text: string;
};

export type RequestOptions = {
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
  /** Idempotency-Key; a new one by default on POST. null: none. */
  key?: string | null;
  client?: string;
  /** null: without. */
  token?: string | null;
};

export const PROBLEM = 'application/problem+json';

/** Answers outside the OpenAPI document that belong to every service. */
const EXTRA = [/^\/openapi\.json$/, /^\/docs(\/.*)?$/, /^\/problems\/[^/]+$/];

/** How often a client that behaves repeats after 503, 429 or a running duplicate. */
const RETRIES = 20;

/** Sends requests and holds every answer against the contract. */
export class Client {
  readonly base: string;
  readonly contract: Contract;
  readonly coverage: Coverage;
  readonly clientId: string;
  readonly token: string | undefined;
  /** Decisions of this run, to be asked for again at its end; every third one, up to 300. */
  readonly decided: {
    method: string;
    url: string;
    options: RequestOptions;
    body: any;
  }[] = [];
  #decisions = 0;
  readonly #pages = new Map<string, Promise<number>>();

  constructor(options: {
    base: string;
    contract: Contract;
    coverage: Coverage;
    clientId?: string;
    token?: string;
  }) {
    this.base = options.base.replace(/\/+$/, '');
    this.contract = options.contract;
    this.coverage = options.coverage;
    this.clientId = options.clientId ?? `conformance-${randomUUID()}`;
    this.token = options.token;
  }

  get(url: string, options: RequestOptions = {}): Promise<Answer> {
    return this.send('GET', url, options);
  }

  post(url: string, body: unknown, options: RequestOptions = {}) {
    return this.send('POST', url, { body, ...options });
  }

  /** As `send`, and the status must be this one. Gives the body. */
  async expect(
    status: number,
    method: string,
    url: string,
    options: RequestOptions = {},
  ): Promise<any> {
    const answer = await this.send(method, url, options);
    must(
      answer.status === status,
      `${method} ${url} ${show(options.body)} answered ${answer.status} ${show(
        answer.body ?? answer.text,
      )}, expected ${status}`,
    );
    return answer.body;
  }

  /** As `expect`, with an error of this code from the catalogue. */
  async refuse(
    code: string,
    method: string,
    url: string,
    options: RequestOptions = {},
  ): Promise<any> {
    const entry = this.contract.problems.get(code);
    must(entry, `${code} is not in problems.yaml for ${this.contract.service}`);
    const body = await this.expect(entry.status, method, url, options);
    equal(
      body.code,
      code,
      `the code of ${method} ${url} ${show(options.body)}`,
    );
    return body;
  }

  /** One request, checked. Is repeated while the service says that it is busy. */
  async send(
    method: string,
    url: string,
    options: RequestOptions = {},
  ): Promise<Answer> {
    const headers: Record<string, string> = {
      'x-client-id': options.client ?? this.clientId,
      ...options.headers,
    };
    const token = options.token === undefined ? this.token : options.token;
    if (token !== undefined && token !== null)
      headers.authorization ??= `Bearer ${token}`;
    const key = options.key === undefined ? newKey() : options.key;
    if (method === 'POST' && key !== null) headers['idempotency-key'] ??= key;
    let payload = options.raw;
    if (payload === undefined && options.body !== undefined) {
      payload = JSON.stringify(options.body);
      headers['content-type'] ??= 'application/json';
    }
    for (let attempt = 0; ; attempt++) {
      const response = await fetch(this.base + url, {
        method,
        headers,
        body: payload as BodyInit | undefined,
        redirect: 'manual',
        signal: AbortSignal.timeout(30_000),
      });
      const text = await response.text();
      const answer = await this.check(method, url, response, text);
      const busy =
        [429, 503].includes(answer.status) ||
        answer.body?.code === 'idempotency-conflict';
      if (
        method === 'POST' &&
        answer.status === 201 &&
        this.#decisions++ % 3 === 0 &&
        this.decided.length < 300
      )
        this.decided.push({
          method,
          url,
          options: { ...options, key: headers['idempotency-key'] },
          body: answer.body,
        });
      if (!busy || attempt >= RETRIES || url === '/readyz') return answer;
      const seconds = Number(answer.headers.get('retry-after'));
      must(
        Number.isFinite(seconds) && answer.headers.has('retry-after'),
        `${method} ${url} answered ${answer.status} without Retry-After`,
      );
      await new Promise(resolve =>
        setTimeout(resolve, Math.min(seconds * 1_000, 2_000)),
      );
    }
  }

  /** Holds an answer against the contract and remembers that it was seen. */
  async check(
    method: string,
    url: string,
    response: { status: number; headers: Headers },
    text: string,
  ): Promise<Answer> {
    const pathname = url.split('?', 1)[0];
    const where = `${method} ${pathname} → ${response.status}`;
    const type = (response.headers.get('content-type') ?? '').split(';')[0];
    let body: any;
    if (type.endsWith('json') && response.status !== 304) {
      try {
        body = JSON.parse(text);
      } catch {
        must(false, `${where}: the body is no JSON: ${text.slice(0, 200)}`);
      }
    }
    // An id of an impossible form may make an address that no route knows: that is no answer of the operation.
    const operation =
      body?.code === 'route-not-found'
        ? undefined
        : this.contract.find(method, pathname);
    if (operation)
      this.#checkDocumented(operation, where, response, type, body);
    else
      must(
        response.status >= 400 || EXTRA.some(extra => extra.test(pathname)),
        `${where}: not in the OpenAPI document`,
      );
    if (response.status >= 400 && !['/readyz'].includes(pathname))
      await this.#checkProblem(where, url, response, type, body);
    if (operation) this.coverage.record(operation, response.status, body?.code);
    else if (typeof body?.code === 'string') this.coverage.sawCode(body.code);
    return { status: response.status, headers: response.headers, body, text };
  }

  #checkDocumented(
    operation: Operation,
    where: string,
    response: { status: number; headers: Headers },
    type: string,
    body: unknown,
  ): void {
    const spec = operation.responses.get(response.status);
    must(
      spec,
      `${where}: ${operation.id} does not document this status: ${show(body)}`,
    );
    if (spec.mediaTypes.size === 0) return;
    must(
      spec.mediaTypes.has(type),
      `${where}: the media type is ${type || 'missing'}, not ${[
        ...spec.mediaTypes.keys(),
      ].join(' or ')}`,
    );
    const validate = spec.mediaTypes.get(type);
    if (validate && !validate(body)) {
      const errors = validate
        .errors!.slice(0, 5)
        .map(error => `${error.instancePath || '/'} ${error.message}`);
      must(
        false,
        `${where}: the body breaks the schema: ${errors.join('; ')}: ${show(
          body,
        )}`,
      );
    }
    if (spec.problemCodes.length > 0)
      must(
        spec.problemCodes.includes((body as any).code),
        `${where}: ${operation.id} does not document the code ${
          (body as any).code
        }: ${show(body)}`,
      );
    // An answer that was given before says so, and no other does.
    if (operation.method === 'POST' && response.status === 201)
      must(
        !response.headers.has('idempotent-replayed'),
        `${where}: a new decision is marked as replayed`,
      );
    if (
      operation.method === 'POST' &&
      response.status === 200 &&
      operation.responses.has(201)
    )
      equal(
        response.headers.get('idempotent-replayed'),
        'true',
        `${where}: Idempotent-Replayed`,
      );
  }

  async #checkProblem(
    where: string,
    url: string,
    response: { status: number; headers: Headers },
    type: string,
    body: any,
  ): Promise<void> {
    equal(type, PROBLEM, `${where}: the media type of an error`);
    const entry = this.contract.problems.get(body.code);
    must(entry, `${where}: the code ${body.code} is not in problems.yaml`);
    equal(
      [body.status, entry.status],
      [response.status, response.status],
      `${where}: the status in the body and in the catalogue`,
    );
    for (const member of ['type', 'title', 'detail', 'instance', 'traceId'])
      must(
        typeof body[member] === 'string' && body[member] !== '',
        `${where}: ${member} is missing in ${show(body)}`,
      );
    equal(body.instance, url.split('?', 1)[0], `${where}: instance`);
    must(
      body.type.endsWith(entry.code),
      `${where}: type ${body.type} does not end with the code`,
    );
    must(
      !/\bat .+:\d+:\d+|node_modules|\bSELECT\b|\bINSERT\b/.test(body.detail),
      `${where}: detail shows the inside: ${body.detail}`,
    );
    if ([429, 503].includes(response.status))
      must(
        /^[0-9]+$/.test(response.headers.get('retry-after') ?? ''),
        `${where}: Retry-After is missing`,
      );
    await this.#checkPage(where, body.type);
  }

  /** `type` leads to a page. Pages of another site are not asked for. */
  async #checkPage(where: string, type: string): Promise<void> {
    const page = new URL(type, `${this.base}/`);
    if (page.origin !== new URL(this.base).origin) return;
    let status = this.#pages.get(page.pathname);
    if (!status) {
      status = fetch(page, { signal: AbortSignal.timeout(10_000) }).then(
        async response => {
          await response.arrayBuffer();
          return response.status;
        },
      );
      this.#pages.set(page.pathname, status);
    }
    equal(await status, 200, `${where}: the page ${type} of the error`);
  }
}

/** A new Idempotency-Key. */
export function newKey(): string {
  return randomUUID();
}

/** A UUIDv7 of a moment, for keys whose age the service can read. */
export function uuidv7(at: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(at, 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
