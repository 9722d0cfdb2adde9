/**
 * The only file that knows @kubernetes/client-node: its authentication, its
 * HTTP and its watch. A change of its version is a change of this file.
 */
import {
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  KubeConfig,
  ServerConfiguration,
  Watch,
  type RequestContext,
} from '@kubernetes/client-node';
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { ClusterSettings } from './config';

export interface Request {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Absolute, its segments escaped. */
  path: string;
  query?: Record<string, string | undefined>;
  contentType?: string;
  body?: unknown;
  /** Aborts the request, its answer's body included. */
  signal: AbortSignal;
}

export interface Answer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

export interface WatchRequest {
  path: string;
  query: Record<string, string | undefined>;
  /** Until the first byte of the answer, in milliseconds. */
  connectMs: number;
  onEvent(type: string, object: any): void;
  /** Once, also after `abort`; without an error when the server ended it in order. */
  onEnd(error?: Error & { statusCode?: number }): void;
}

/** The way to one cluster's API server. */
export interface Connection {
  send(request: Request): Promise<Answer>;
  /** Resolves when the answer begins or fails. */
  openWatch(request: WatchRequest): Promise<{ abort(): void }>;
  /** Hides credentials in a text. */
  redact(text: string): string;
  close(): void;
}

type Agent = HttpAgent | HttpsAgent;

// Go's servers keep an idle connection for 90 s or more; ours ends before.
const AGENT = {
  keepAlive: true,
  keepAliveMsecs: 30_000,
  maxSockets: 128,
  maxFreeSockets: 16,
  timeout: 55_000,
};

/** As the stock one, but all calls share an agent: it would make one, and a TLS handshake, for each. */
class SharedAgentConfig extends KubeConfig {
  agent?: Agent;
  connectMs?: number;

  async applySecurityAuthentication(context: RequestContext) {
    await super.applySecurityAuthentication(context);
    context.setAgent(this.agent!);
  }

  async applyToFetchOptions(
    ...options: Parameters<KubeConfig['applyToFetchOptions']>
  ) {
    const init = await super.applyToFetchOptions(...options);
    return { ...init, agent: this.agent, timeout: this.connectMs };
  }
}

export class ClientNodeConnection implements Connection {
  readonly #settings: ClusterSettings;
  readonly #server: ServerConfiguration<{}>;
  readonly #http = new IsomorphicFetchHttpLibrary();
  #config?: SharedAgentConfig;

  constructor(settings: ClusterSettings) {
    this.#settings = settings;
    this.#server = new ServerConfiguration(settings.url, {});
  }

  async send(request: Request): Promise<Answer> {
    const context = this.#server.makeRequestContext(
      request.path,
      request.method as HttpMethod,
    );
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) context.setQueryParam(name, value);
    }
    context.setHeaderParam('Accept', 'application/json, */*;q=0.8');
    if (request.body !== undefined) {
      context.setHeaderParam(
        'Content-Type',
        request.contentType ?? 'application/json',
      );
      context.setBody(JSON.stringify(request.body));
    }
    await this.#configured().applySecurityAuthentication(context);
    context.setSignal(request.signal);
    const response = await this.#http.send(context).toPromise();
    return {
      status: response.httpStatusCode,
      headers: response.headers,
      body: await response.body.text(),
    };
  }

  async openWatch(request: WatchRequest): Promise<{ abort(): void }> {
    const config = this.#configured();
    config.connectMs = request.connectMs;
    return await new Watch(config).watch(
      request.path,
      request.query,
      request.onEvent,
      error => request.onEnd(error ?? undefined),
    );
  }

  redact(text: string): string {
    const { credentials } = this.#settings;
    const known =
      credentials.type === 'token' && credentials.token.length >= 8
        ? text.replaceAll(credentials.token, '***')
        : text;
    return known.replace(/\bBearer\s+[\w.~+/-]+=*/gi, 'Bearer ***');
  }

  close(): void {
    this.#config?.agent?.destroy();
  }

  /** Made on first use: files that are not there concern only who asks for this cluster. */
  #configured(): SharedAgentConfig {
    if (this.#config) return this.#config;
    const { name, url, credentials, caData, caFile, skipTLSVerify } =
      this.#settings;
    const secure = url.startsWith('https:');
    const config = new SharedAgentConfig();
    config.loadFromClusterAndUser(
      // It demands this of plain HTTP, which the configuration allows on the loopback only.
      { name, server: url, skipTLSVerify: skipTLSVerify || !secure },
      {
        name: `${name}-user`,
        ...(credentials.type === 'token' ? { token: credentials.token } : {}),
        ...(credentials.type === 'token-file'
          ? {
              authProvider: {
                name: 'tokenFile',
                config: { tokenFile: credentials.file },
              },
            }
          : {}),
      },
    );
    const ca = caFile
      ? readFileSync(caFile)
      : caData && Buffer.from(caData, 'base64');
    config.agent = secure
      ? new HttpsAgent({
          ...AGENT,
          ...(ca ? { ca } : {}),
          rejectUnauthorized: !skipTLSVerify,
        })
      : new HttpAgent(AGENT);
    this.#config = config;
    return config;
  }
}
