import { RefusedError } from './errors';
import { type HttpOptions, request, safeUrl } from './http';
import type { Output } from './output';
import type {
  GateResponse,
  PushRequest,
  PushResponse,
  ValidateResponse,
} from './types';

/** The parts of Rocket's backend that a pipeline talks to. */
export class Portal {
  /** Without a slash at the end. */
  readonly address: string;
  readonly #token: () => Promise<string>;
  readonly #http: HttpOptions;
  readonly #output: Output;

  constructor(options: {
    url: string;
    /** Asked when it is needed, so that a push that is only queued needs none. */
    token: () => Promise<string>;
    http: HttpOptions;
    output: Output;
  }) {
    const url = safeUrl(options.url, 'ROCKET_URL');
    this.address = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
    this.#token = options.token;
    this.#http = options.http;
    this.#output = options.output;
  }

  async push(push: PushRequest): Promise<PushResponse> {
    const answer = await this.#call('POST', '/pushes', push);
    if (!Array.isArray(answer?.entities))
      throw new RefusedError(
        `Rocket (${this.address}) did not say what became of the push; is it a newer release?`,
        200,
      );
    return answer;
  }

  async validate(push: PushRequest): Promise<ValidateResponse> {
    const answer = await this.#call('POST', '/validate', push);
    if (typeof answer?.valid !== 'boolean' || !Array.isArray(answer.problems))
      throw new RefusedError(
        `Rocket (${this.address}) did not say what is valid; is it a newer release?`,
        200,
      );
    return answer;
  }

  /** Whether a deployment of the component should go on. `entityRef` is complete. */
  async gate(entityRef: string): Promise<GateResponse> {
    const [kind, rest] = entityRef.split(':');
    const answer = await this.#call(
      'GET',
      `/gate/${[kind, ...rest.split('/')].map(encodeURIComponent).join('/')}`,
    );
    if (!['allow', 'warn', 'block'].includes(answer?.decision))
      throw new RefusedError(
        `Rocket (${this.address}) gave no decision; is it a newer release?`,
        200,
      );
    return answer;
  }

  /** Commit of the last deployment that ended well; undefined before the first one. */
  async lastDeployed(
    component: string,
    environment: string,
  ): Promise<string | undefined> {
    const query = new URLSearchParams({ component, environment });
    const answer = await this.#call('GET', `/deployed?${query}`);
    return typeof answer?.commit === 'string' ? answer.commit : undefined;
  }

  async #call(method: 'GET' | 'POST', path: string, body?: unknown) {
    return request(
      {
        method,
        url: new URL(`${this.address}/api/ci-registry${path}`),
        token: await this.#token(),
        body,
        what: 'Rocket',
      },
      this.#http,
      line => this.#output.warn(line),
    );
  }
}
