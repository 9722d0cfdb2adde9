import { connect } from 'node:net';
import { must } from './expect';

/** What came back on a socket, parsed. */
export type RawAnswer = {
  status: number;
  headers: Headers;
  text: string;
};

/**
 * Writes bytes to the service as they are, gives the first answer. Throws when none comes within 15 s; an answer ends with the bytes
 * that Content-Length announces, or with the connection.
 */
export function rawRequest(
  base: string,
  bytes: string | Uint8Array,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port || 80), hostname, () =>
      socket.write(bytes),
    );
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(`no answer within 15 s to ${String(bytes).slice(0, 60)}`),
      );
    }, 15_000);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      try {
        resolve(parse(text));
      } catch (error) {
        reject(error);
      }
    };
    socket.setEncoding('utf8');
    socket.on('data', chunk => {
      text += chunk;
      const [head, body] = split(text);
      const length = /^content-length: *(\d+)/im.exec(head);
      if (body === undefined) return;
      if (
        length
          ? Buffer.byteLength(body) >= Number(length[1])
          : body.endsWith('0\r\n\r\n')
      )
        finish();
    });
    socket.on('close', finish);
    // A reset after the answer is fine; without one parse() complains.
    socket.on('error', () => undefined);
  });
}

function split(text: string): [string, string | undefined] {
  const end = text.indexOf('\r\n\r\n');
  return end < 0
    ? [text, undefined]
    : [text.slice(0, end), text.slice(end + 4)];
}

function parse(text: string): RawAnswer {
  const [head, body] = split(text);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head);
  must(status, `the answer is no HTTP: ${JSON.stringify(text.slice(0, 200))}`);
  const headers = new Headers();
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const chunked = headers.get('transfer-encoding') === 'chunked';
  return {
    status: Number(status[1]),
    headers,
    text: chunked ? joined(body ?? '') : body ?? '',
  };
}

/** The chunks of a body, joined. Good enough for ASCII, which lengths of chunks count alike in bytes and characters. */
function joined(body: string): string {
  let rest = body;
  let text = '';
  for (;;) {
    const end = rest.indexOf('\r\n');
    const length = parseInt(rest.slice(0, end), 16);
    if (!(length > 0)) return text;
    text += rest.slice(end + 2, end + 2 + length);
    rest = rest.slice(end + 4 + length);
  }
}
