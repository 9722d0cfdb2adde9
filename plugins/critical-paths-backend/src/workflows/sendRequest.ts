import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { performance } from 'node:perf_hooks';
import type { WorkflowAnswer } from '@rocket/plugin-critical-paths-common';
import type { AddressPolicy } from './addresses';

/** One request of a workflow. */
export interface WorkflowRequest {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body?: string;
  /** Limit until the whole answer was read, in milliseconds. */
  timeoutMs: number;
  maxBytes: number;
  addresses: AddressPolicy;
  signal: AbortSignal;
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before an answer',
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EPROTO: 'the TLS connection was refused',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is not trusted: self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is not trusted: self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the certificate is not trusted: its issuer is not known',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
};

/** What went wrong, for people; never with headers or bodies. */
function reason(error: unknown): string {
  const { code, message, errors } = error as {
    code?: string;
    message?: string;
    errors?: unknown[];
  };
  if (code && REASONS[code]) {
    return REASONS[code];
  }
  if (code?.startsWith('HPE_')) {
    return 'the answer is not HTTP';
  }
  if (code?.startsWith('ERR_SSL') || code?.startsWith('ERR_TLS')) {
    return `the TLS connection was refused (${code})`;
  }
  if (!message && errors?.length) {
    return reason(errors[0]);
  }
  return message || code || 'the request failed';
}

function headersOf(response: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [
      name,
      [value ?? ''].flat().join(', '),
    ]),
  );
}

/**
 * Sends one request over a connection of its own and reads the whole answer.
 * Redirects are not followed: they are answers like any other.
 *
 * @throws Error whose message says what went wrong, for people
 */
export async function sendRequest(
  options: WorkflowRequest,
): Promise<WorkflowAnswer> {
  const { url, addresses, timeoutMs, maxBytes, body } = options;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`${url.protocol} is not a protocol that workflows speak`);
  }
  addresses.assertHost(url.hostname);
  const slow = new AbortController();
  const timer = setTimeout(() => slow.abort(), timeoutMs);
  const started = performance.now();
  try {
    return await new Promise<WorkflowAnswer>((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(url, {
        method: options.method,
        headers: {
          accept: 'application/json',
          ...options.headers,
          // No compression: the limit is about what is read.
          'accept-encoding': 'identity',
          ...(body === undefined
            ? {}
            : { 'content-length': Buffer.byteLength(body) }),
        },
        agent: false,
        lookup: addresses.lookup,
        signal: AbortSignal.any([options.signal, slow.signal]),
      });
      request.on('error', reject);
      request.on('response', response => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > maxBytes) {
            request.destroy();
            reject(new Error(`the answer is larger than ${maxBytes} bytes`));
            return;
          }
          parts.push(part);
        });
        response.on('error', reject);
        response.on('aborted', () =>
          reject(new Error('the answer broke off in the middle')),
        );
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: headersOf(response),
            body: Buffer.concat(parts).toString('utf8'),
            latencyMs: performance.now() - started,
          }),
        );
      });
      request.end(body);
    });
  } catch (error) {
    if (options.signal.aborted) {
      throw error;
    }
    throw new Error(
      slow.signal.aborted
        ? `no whole answer within ${timeoutMs} ms`
        : reason(error),
    );
  } finally {
    clearTimeout(timer);
  }
}
