import { createHash } from 'node:crypto';
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { resolve, type Contract, type Operation } from '../contract';

/** Thrown by a fake service to refuse. */
export class Refusal extends Error {
  constructor(readonly code: string, readonly pointer?: string) {
    super(code);
  }
}

/** The request breaks a schema. */
class Invalid extends Error {
  readonly code = 'validation-failed';
  readonly errors: unknown[];

  constructor(errors: any[], base: string) {
    super('validation-failed');
    this.errors = errors.map(({ instancePath, params, keyword, message }) => {
      const inner = params.missingProperty ?? params.additionalProperty;
      return {
        pointer: `${base}${instancePath}${
          inner === undefined ? '' : `/${inner}`
        }`,
        code: keyword,
        message,
      };
    });
  }
}

export type Call = {
  params: Record<string, string>;
  query: Record<string, any>;
  headers: Record<string, string | undefined>;
  body: any;
  client: string;
};

export type Reply = {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  text?: string;
};

export type Handlers = Record<string, (call: Call) => Reply>;

/** Deliberate mistakes: each is a name that a fake asks for where it would do the right thing. */
export type Bugs = ReadonlySet<string>;

type Decision = { print: string; done: Promise<Reply | Refusal> };

const KEY = /^[\x21-\x7e]{1,255}$/;
const RETENTION = 72 * 3_600_000;

/**
 * A service in memory that keeps a contract: routes, validation, idempotency, problems and pages come from the OpenAPI document, what
 * the operations do comes from `handlers`. It exists to show that the suite passes a right service and fails wrong ones.
 */
export class FakeHttp {
  readonly #contract: Contract;
  readonly #handlers: Handlers;
  readonly #bugs: Bugs;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #text = new Ajv2020({
    strict: false,
    allErrors: true,
    coerceTypes: true,
    useDefaults: true,
  });
  readonly #validators = new Map<unknown, ValidateFunction>();
  readonly #decisions = new Map<string, Decision>();
  readonly #counts = new Map<string, number>();
  readonly #server: Server;
  readonly outboxAge: () => number;
  draining = false;

  constructor(
    contract: Contract,
    handlers: Handlers,
    bugs: Bugs,
    outboxAge: () => number = () => 0,
  ) {
    this.#contract = contract;
    this.#handlers = handlers;
    this.#bugs = bugs;
    this.outboxAge = outboxAge;
    for (const ajv of [this.#ajv, this.#text]) {
      addFormats(ajv);
      ajv.addSchema(contract.document, 'openapi');
    }
    this.#server = createServer((request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const code =
        error.code === 'HPE_HEADER_OVERFLOW'
          ? 'headers-too-large'
          : 'validation-failed';
      const { status } = contract.problems.get(code)!;
      const body = bugs.has('plain text for garbage')
        ? 'Bad Request'
        : JSON.stringify({ ...this.#problem(code, '/'), status });
      const type = bugs.has('plain text for garbage')
        ? 'text/plain'
        : 'application/problem+json';
      if (socket.writable)
        socket.end(
          `HTTP/1.1 ${status} ${
            STATUS_CODES[status]
          }\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(
            body,
          )}\r\n\r\n${body}`,
        );
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>(done =>
      this.#server.listen(0, '127.0.0.1', () => done()),
    );
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(done => this.#server.close(done));
  }

  #problem(code: string, instance: string, errors?: unknown[]) {
    const entry = this.#contract.problems.get(code)!;
    return {
      type: `/problems/${code}`,
      title: entry.title,
      status: this.#bugs.has('wrong status in the body') ? 400 : entry.status,
      detail: this.#bugs.has('stack in detail')
        ? 'Error: x\n    at Ledger.post (/app/src/ledger.ts:12:3)'
        : entry.meaning,
      instance,
      code,
      traceId: '0af7651916cd43dd8448eb211c80319c',
      ...(errors ? { errors } : {}),
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse) {
    const [pathname] = request.url!.split('?', 1);
    const operation = this.#contract.find(request.method!, pathname);
    const send = (reply: Reply) => {
      const status = reply.status ?? 200;
      const key = `${request.method}|${
        operation?.path.replace(/\{(\w+)\}/g, ':$1') ?? 'unknown'
      }|${status}`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
      const text = reply.text ?? JSON.stringify(reply.body);
      response.writeHead(status, {
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-type': 'application/json',
        ...reply.headers,
      });
      response.end(status === 304 ? undefined : text);
    };
    try {
      const raw = await this.#read(request, operation);
      send(await this.#answer(request, pathname, operation, raw));
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof Invalid)) {
        send(this.#refused(new Refusal('internal'), pathname));
        return;
      }
      send(this.#refused(error, pathname));
    }
  }

  #refused(error: Refusal | Invalid, pathname: string): Reply {
    const entry = this.#contract.problems.get(error.code)!;
    const errors =
      error instanceof Invalid
        ? error.errors
        : error.pointer === undefined
        ? undefined
        : [{ pointer: error.pointer, code: error.code, message: entry.title }];
    if (this.#bugs.has('HTML errors') && error.code === 'malformed-json')
      return {
        status: 400,
        headers: { 'content-type': 'text/html' },
        text: '<h1>Bad Request</h1>',
      };
    return {
      status: entry.status,
      headers: {
        'content-type': 'application/problem+json',
        ...(['audit-not-sealed', 'overloaded'].includes(error.code) &&
        !this.#bugs.has('no Retry-After')
          ? { 'retry-after': '1' }
          : {}),
      },
      body: this.#problem(error.code, pathname, errors),
    };
  }

  async #read(
    request: IncomingMessage,
    operation: Operation | undefined,
  ): Promise<Buffer> {
    const limit =
      operation?.id === 'postTransactions' ? 1024 * 1024 : 64 * 1024;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request) {
      size += chunk.length;
      if (size <= limit || this.#bugs.has('no body limit')) chunks.push(chunk);
    }
    if (size > limit && !this.#bugs.has('no body limit'))
      throw new Refusal('payload-too-large');
    return Buffer.concat(chunks);
  }

  async #answer(
    request: IncomingMessage,
    pathname: string,
    operation: Operation | undefined,
    raw: Buffer,
  ): Promise<Reply> {
    if (request.method === 'GET') {
      const page = this.#page(pathname);
      if (page) return page;
    }
    if (!operation) throw new Refusal('route-not-found');
    const spec =
      this.#contract.document.paths[operation.path][
        operation.method.toLowerCase()
      ];
    const headers = request.headers as Record<string, string | undefined>;
    const call: Call = {
      ...this.#parameters(request, pathname, operation, spec),
      headers,
      body: undefined,
      client: headers['x-client-id'] ?? 'anonymous',
    };
    const needsKey = (spec.parameters ?? []).some(
      (parameter: any) =>
        resolve(this.#contract.document, parameter).name === 'Idempotency-Key',
    );
    if (needsKey) this.#checkKey(headers['idempotency-key']);
    if (spec.requestBody) call.body = this.#body(headers, raw, operation, spec);
    this.#handlers.precondition?.(call);
    return needsKey
      ? this.#once(call, operation)
      : this.#handlers[operation.id](call);
  }

  #checkKey(key: string | undefined): void {
    if (this.#bugs.has('key not needed') && !key) return;
    if (!key) throw new Refusal('idempotency-key-missing');
    if (!KEY.test(key))
      throw new Refusal('validation-failed', '#/header/Idempotency-Key');
    const v7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(key);
    const made = v7 ? parseInt(v7[1] + v7[2], 16) : Infinity;
    if (made < Date.now() - RETENTION && !this.#bugs.has('old keys taken'))
      throw new Refusal('idempotency-key-expired');
  }

  /** Carries out what was not carried out under this key; whoever comes meanwhile waits for the decision. */
  async #once(call: Call, operation: Operation): Promise<Reply> {
    const handler = this.#handlers[operation.id];
    const key = `${
      this.#bugs.has('keys shared by clients') ? '' : call.client
    }|${call.headers['idempotency-key']}`;
    const print = createHash('sha256')
      .update(
        JSON.stringify([operation.id, call.params, call.body], (_name, value) =>
          value && typeof value === 'object' && !Array.isArray(value)
            ? Object.fromEntries(
                Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)),
              )
            : value,
        ),
      )
      .digest('hex');
    if (this.#bugs.has('no idempotency')) return handler(call);
    if (this.#bugs.has('idempotency races'))
      await new Promise(done => setTimeout(done, 5));
    const known = this.#decisions.get(key);
    if (known) {
      if (known.print !== print && !this.#bugs.has('mismatch not noticed'))
        throw new Refusal('idempotency-mismatch');
      const decision = await known.done;
      if (decision instanceof Refusal) {
        const reply = this.#refused(
          decision,
          operation.path.replace(/\{(\w+)\}/g, (_m, name) => call.params[name]),
        );
        return {
          ...reply,
          headers: { ...reply.headers, 'idempotent-replayed': 'true' },
        };
      }
      if (this.#bugs.has('replay as new')) return decision;
      return {
        ...decision,
        status: 200,
        headers: { ...decision.headers, 'idempotent-replayed': 'true' },
      };
    }
    const decide = async (): Promise<Reply | Refusal> => {
      if (this.#bugs.has('idempotency races'))
        await new Promise(done => setTimeout(done, 5));
      try {
        return handler(call);
      } catch (error) {
        if (error instanceof Refusal && error.code !== 'validation-failed')
          return error;
        throw error;
      }
    };
    const done = decide();
    if (this.#bugs.has('idempotency races'))
      void done.then(
        () => this.#decisions.set(key, { print, done }),
        () => undefined,
      );
    else this.#decisions.set(key, { print, done });
    try {
      const decision = await done;
      if (decision instanceof Refusal) {
        if (this.#bugs.has('refusals not kept')) this.#decisions.delete(key);
        throw decision;
      }
      return decision;
    } catch (error) {
      if (!(error instanceof Refusal) || error.code === 'validation-failed')
        this.#decisions.delete(key);
      throw error;
    }
  }

  #body(
    headers: Record<string, string | undefined>,
    raw: Buffer,
    operation: Operation,
    spec: any,
  ): unknown {
    const type = (headers['content-type'] ?? '').split(';')[0].trim();
    const content = resolve(this.#contract.document, spec.requestBody).content;
    if (type !== '' && !(type in content) && !this.#bugs.has('any media type'))
      throw new Refusal('unsupported-media-type');
    let body: unknown;
    try {
      body = JSON.parse(raw.toString('utf8'));
    } catch (error) {
      if (this.#bugs.has('crash on bad JSON')) throw error;
      throw new Refusal('malformed-json');
    }
    const place = `openapi#/paths/${operation.path
      .replaceAll('~', '~0')
      .replaceAll('/', '~1')
      .replaceAll('{', '%7B')
      .replaceAll(
        '}',
        '%7D',
      )}/${operation.method.toLowerCase()}/requestBody/content/application~1json/schema`;
    const validate = this.#ajv.getSchema(place)!;
    if (!validate(body)) throw new Invalid(validate.errors!, '');
    return body;
  }

  #parameters(
    request: IncomingMessage,
    pathname: string,
    operation: Operation,
    spec: any,
  ): { params: Record<string, string>; query: Record<string, any> } {
    const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(
      match => match[1],
    );
    const source = operation.path
      .split(/\{\w+\}/)
      .map(part => part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'))
      .join('([^/:]+)');
    const values = new RegExp(`^${source}$`).exec(pathname)!.slice(1);
    const given: Record<string, Record<string, any>> = {
      path: Object.fromEntries(names.map((name, i) => [name, values[i]])),
      query: Object.fromEntries(
        new URLSearchParams(request.url!.split('?')[1] ?? ''),
      ),
      header: { ...request.headers },
    };
    for (const reference of spec.parameters ?? []) {
      const parameter = resolve(this.#contract.document, reference);
      const part = given[parameter.in];
      if (!part) continue;
      const name =
        parameter.in === 'header'
          ? parameter.name.toLowerCase()
          : parameter.name;
      if (part[name] === undefined) {
        if (parameter.schema.default !== undefined)
          part[name] = parameter.schema.default;
        continue;
      }
      const holder = { value: part[name] };
      if (!this.#validatorOf(parameter)(holder))
        throw new Refusal(
          'validation-failed',
          `#/${parameter.in}/${parameter.name}`,
        );
      part[name] = holder.value;
    }
    return { params: given.path, query: given.query };
  }

  /** Validators of parameters; making one takes longer than a request. */
  #validatorOf(parameter: any): ValidateFunction {
    let validate = this.#validators.get(parameter);
    if (!validate) {
      const value = resolve(this.#contract.document, parameter.schema);
      validate = this.#text.compile({ type: 'object', properties: { value } });
      this.#validators.set(parameter, validate);
    }
    return validate;
  }

  #page(pathname: string): Reply | undefined {
    if (pathname === '/healthz') return { body: { status: 'ok' } };
    if (pathname === '/readyz') {
      return this.draining
        ? { status: 503, body: { status: 'not ready', reason: 'draining' } }
        : { body: { status: 'ready' } };
    }
    if (pathname === '/metrics') {
      const lines = [...this.#counts].map(([key, count]) => {
        const [method, route, status] = key.split('|');
        return `http_request_duration_seconds_count{method="${method}",route="${route}",status="${status}"} ${count}`;
      });
      return {
        headers: { 'content-type': 'text/plain; version=0.0.4' },
        text: `${lines.join(
          '\n',
        )}\noutbox_oldest_age_seconds ${this.outboxAge()}\n`,
      };
    }
    if (pathname === '/openapi.json') {
      if (!this.#bugs.has('another API'))
        return { body: this.#contract.document };
      const document = structuredClone(this.#contract.document);
      delete document.paths['/readyz'].get.responses['503'];
      return { body: document };
    }
    if (pathname === '/docs/')
      return {
        headers: { 'content-type': 'text/html' },
        text: '<html>docs</html>',
      };
    const page = /^\/problems\/([^/]+)$/.exec(pathname);
    if (page) {
      const entry = this.#contract.problems.get(page[1]);
      if (!entry) throw new Refusal('not-found');
      return {
        headers: { 'content-type': 'text/plain' },
        text: `${entry.code}: ${entry.title}`,
      };
    }
    return undefined;
  }
}
