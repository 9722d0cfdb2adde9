import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestCluster } from './clusters';
import type { Json } from './fakeFields';
import { groupsOf, pageOf, routeOf } from './fakeRoutes';
import { matcher, tell, type OpenWatch } from './fakeWatches';
import { type FaultRule } from './faults';
import { Refusal } from './Refusal';
import { prefixOf, type Change, type Target } from './fakeObjects';
import { FakeStore } from './fakeStore';

/** One request that came in, and what it was about. */
export interface SeenRequest {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: Json;
}

const VERBS: Record<string, string> = {
  GET: 'get',
  POST: 'create',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * A small API server for faults: objects, server-side apply, lists in pages,
 * watches, finalizers, namespaces and custom kinds, as far as the contract suite
 * goes on it. It has no controllers but that of namespaces, no admission, no
 * defaults, and checks only custom kinds against a schema.
 */
export class FakeApiServer {
  readonly token = 'fake-token-0123456789';
  readonly strangersToken = 'strangers-token-0123456789';
  readonly seen: SeenRequest[] = [];
  /** Whose answer is true is forbidden, and said so by access reviews. */
  denies: (access: {
    verb: string;
    resource: string;
    namespace?: string;
  }) => boolean = () => false;
  log: (pod: string) => string = () => '';
  store = new FakeStore();
  readonly #rules: FaultRule[] = [];
  readonly #watches = new Set<OpenWatch>();
  #server!: Server;
  #port = 0;

  static async start(): Promise<FakeApiServer> {
    const fake = new FakeApiServer();
    fake.store.onChange = change => fake.#publish(change);
    await fake.back();
    return fake;
  }

  get cluster(): TestCluster {
    return {
      name: 'fake',
      url: `http://127.0.0.1:${this.#port}`,
      token: this.token,
      strangersToken: this.strangersToken,
    };
  }

  /** Requests that changed something, or would have. Dry runs and questions are none. */
  get writes(): SeenRequest[] {
    return this.seen.filter(
      ({ method, path, query, body }) =>
        method !== 'GET' &&
        query.dryRun !== 'All' &&
        !body?.dryRun?.length &&
        !path.includes('accessreviews'),
    );
  }

  /** The next requests that match; the rules are used up in order. */
  inject(rule: FaultRule): void {
    this.#rules.push({ times: 1, ...rule });
  }

  forgetFaults(): void {
    this.#rules.length = 0;
  }

  /** Nobody answers at its port, and all connections break. */
  async away(): Promise<void> {
    const closed = new Promise(done => this.#server.close(done));
    this.#server.closeAllConnections();
    this.#watches.clear();
    await closed;
  }

  /** Answers again, at the same address, with what it had. */
  async back(): Promise<void> {
    this.#server = createServer((request, response) => {
      this.#receive(request, response).catch(() => response.destroy());
    });
    await new Promise<void>(done =>
      this.#server.listen(this.#port, '127.0.0.1', done),
    );
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get openWatches() {
    return this.#watches.size;
  }

  /** Breaks the connections of all watches; with `event`, after that. */
  cutWatches(event?: Json): void {
    for (const watch of this.#watches) {
      if (event) watch.response.write(`${JSON.stringify(event)}\n`);
      watch.response.socket?.destroySoon();
      this.#watches.delete(watch);
    }
  }

  /** Ends all watches as a server does at their time. */
  endWatches(): void {
    for (const watch of this.#watches) watch.response.end();
    this.#watches.clear();
  }

  /** Forgets changes: whoever watches from before them must list anew. */
  compact(): void {
    this.store.oldest = this.store.version;
    this.store.changes.length = 0;
  }

  bookmark(): void {
    const metadata = { resourceVersion: String(this.store.version) };
    for (const { response } of this.#watches)
      response.write(
        `${JSON.stringify({ type: 'BOOKMARK', object: { metadata } })}\n`,
      );
  }

  async #receive(request: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url!, 'http://fake');
    const text = Buffer.concat(chunks).toString();
    const seen: SeenRequest = {
      method: request.method!,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: text ? JSON.parse(text) : undefined,
    };
    this.seen.push(seen);
    const send = (status: number, body: Json, headers = {}) => {
      const plain = typeof body === 'string';
      response.writeHead(status, {
        'content-type': plain ? 'text/plain' : 'application/json',
        ...headers,
      });
      response.end(plain ? body : JSON.stringify(body));
    };
    const rule = this.#rules.find(
      ({ method, path, times }) =>
        times! > 0 &&
        (!method || method === seen.method) &&
        (!path || path.test(seen.path)),
    );
    if (rule) rule.times! -= 1;
    const fault = rule?.fault;
    if (fault === 'hang') return;
    if (fault === 'cut') {
      request.socket.destroy();
      return;
    }
    if (typeof fault === 'object' && 'delayMs' in fault)
      await new Promise(done => setTimeout(done, fault.delayMs).unref());
    else if (typeof fault === 'object') {
      send(fault.status, fault.body ?? '', fault.headers);
      return;
    }
    try {
      const bearer = request.headers.authorization?.replace('Bearer ', '');
      const stranger = bearer === this.strangersToken;
      if (bearer !== this.token && !stranger)
        throw new Refusal(401, 'Unauthorized', 'Unauthorized');
      const answer = this.#answer(seen, response, stranger);
      if (fault === 'cutAfter') request.socket.destroy();
      else if (answer) send(answer.status, answer.body);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      send(error.code, error.status);
    }
  }

  #answer(
    seen: SeenRequest,
    response: ServerResponse,
    stranger: boolean,
  ): { status: number; body: Json } | undefined {
    const ok = (body: Json, status = 200) => ({ status, body });
    const { method, path, query, body } = seen;
    if (path === '/version') return ok({ gitVersion: 'v1.36.0-fake' });
    if (path === '/apis')
      return ok({ kind: 'APIGroupList', groups: groupsOf(this.store) });
    if (path.endsWith('/selfsubjectaccessreviews')) {
      const { verb, resource, namespace } = body.spec.resourceAttributes;
      const denied = stranger || this.denies({ verb, resource, namespace });
      return ok(
        {
          ...body,
          status: {
            allowed: !denied,
            ...(denied ? { reason: 'not in any role' } : {}),
          },
        },
        201,
      );
    }
    const discovery = path.match(/^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))$/);
    if (discovery) {
      const [, core, group = '', version = core] = discovery;
      const kinds = this.store.kinds.filter(
        k => k.group === group && k.version === version,
      );
      if (!kinds.length)
        throw new Refusal(
          404,
          undefined,
          'the server could not find the requested resource',
        );
      return ok({
        kind: 'APIResourceList',
        resources: kinds.map(k => ({
          name: k.plural,
          kind: k.kind,
          namespaced: k.namespaced,
          verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'],
        })),
      });
    }
    const { kind, ...target } = routeOf(this.store, path);
    const at = { ...target, kind } as Target;
    let verb = VERBS[method];
    if (method === 'GET' && !target.name) verb = query.watch ? 'watch' : 'list';
    if (
      stranger ||
      this.denies({ verb, resource: kind.plural, namespace: target.namespace })
    )
      throw new Refusal(
        403,
        'Forbidden',
        `${kind.plural} is forbidden: User "rocket" cannot ${verb} resource "${kind.plural}" in API group "${kind.group}"`,
      );
    const write = {
      manager: query.fieldManager ?? 'unknown',
      dryRun: query.dryRun === 'All',
      force: query.force === 'true',
    };
    switch (verb) {
      case 'watch':
        this.#watch(seen, response, at);
        return undefined;
      case 'list':
        return ok(pageOf(this.store, query, at));
      case 'get':
        return target.subresource === 'log'
          ? ok(this.log(target.name!))
          : ok(this.store.get(at));
      case 'create':
        return ok(this.store.create(at, body, write), 201);
      case 'patch': {
        if (!seen.headers['content-type']?.includes('apply-patch'))
          return ok(this.store.merge(at, body, write));
        const { object, created } = this.store.apply(at, body, write);
        return ok(object, created ? 201 : 200);
      }
      case 'delete':
        return ok(
          this.store.delete(at, body) ?? {
            kind: 'Status',
            apiVersion: 'v1',
            status: 'Success',
          },
        );
      default:
        throw new Refusal(
          405,
          'MethodNotAllowed',
          'the server does not allow this method',
        );
    }
  }

  #watch(
    { query }: SeenRequest,
    response: ServerResponse,
    { kind, namespace }: Target,
  ) {
    const from = Number(query.resourceVersion);
    const inPlace = matcher(query);
    const watch: OpenWatch = {
      response,
      prefix: prefixOf(kind),
      matches: object =>
        (!namespace || object.metadata.namespace === namespace) &&
        inPlace(object),
    };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.store.oldest) {
      response.end(
        `${JSON.stringify({
          type: 'ERROR',
          object: new Refusal(410, 'Expired', 'too old resource version')
            .status,
        })}\n`,
      );
      return;
    }
    for (const change of this.store.changes)
      if (change.version > from) tell(watch, change);
    this.#watches.add(watch);
    const end = setTimeout(
      () => response.end(),
      Number(query.timeoutSeconds || 300) * 1000,
    );
    response.once('close', () => {
      clearTimeout(end);
      this.#watches.delete(watch);
    });
  }

  #publish(change: Change) {
    for (const watch of this.#watches) tell(watch, change);
  }
}
