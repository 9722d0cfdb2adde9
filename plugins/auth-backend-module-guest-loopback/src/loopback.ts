import type { Request } from 'express';
import { isIP } from 'node:net';

/** Headers by which a reverse proxy says that the caller is somebody else. */
const FORWARDING_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-real-ip',
];

/** True for 127.0.0.0/8, ::1 and the IPv4 addresses mapped into IPv6. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (!address) return false;
  const plain = address.toLowerCase().replace(/^::ffff:/, '');
  if (isIP(plain) === 4) return plain.startsWith('127.');
  return plain === '::1';
}

function isLoopbackHostHeader(host: string | undefined): boolean {
  if (!host) return false;
  const name = host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isLoopbackAddress(name);
}

/**
 * Why a request does not come from a browser on this machine; undefined when
 * it does. The socket's address alone is not enough: a proxy on this machine
 * would make everybody local, and a foreign page could point its own name at
 * 127.0.0.1 (DNS rebinding), which the Host header gives away.
 */
export function refusalReason(
  req: Pick<Request, 'headers' | 'socket'>,
): string | undefined {
  if (!isLoopbackAddress(req.socket.remoteAddress)) {
    return 'the request comes from another machine';
  }
  const forwarded = FORWARDING_HEADERS.find(name => req.headers[name]);
  if (forwarded)
    return `the request came through a proxy (${forwarded} header)`;
  if (!isLoopbackHostHeader(req.headers.host)) {
    return 'the portal was opened under a name other than localhost';
  }
  return undefined;
}
