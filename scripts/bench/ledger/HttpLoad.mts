/**
 * Load over HTTP/1.1 keep-alive connections with as little of the machine's time as Node.js allows: requests are written to sockets as
 * bytes and answers are cut by their Content-Length. Nothing is sent twice; a lost connection is an answer of its own (status 0).
 */
import { connect, type Socket } from 'node:net';

export interface Request {
  path: string;
  body: string;
  headers: Record<string, string>;
}

export interface Answer {
  /** 0 when the connection was lost before the answer came. */
  status: number;
  body: string;
  /** Milliseconds since the request was sent. */
  took: number;
}

type Waiting = {
  request: Request;
  since: number;
  done: (answer: Answer) => void;
};

class Connection {
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #received: Buffer = Buffer.alloc(0);
  readonly #host: string;
  readonly #port: number;
  readonly #idle: (connection: Connection) => void;

  constructor(
    host: string,
    port: number,
    idle: (connection: Connection) => void,
  ) {
    this.#host = host;
    this.#port = port;
    this.#idle = idle;
  }

  send(waiting: Waiting): void {
    this.#waiting = waiting;
    const { path, body, headers } = waiting.request;
    const lines = Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const text =
      `POST ${path} HTTP/1.1\r\nhost: ${this.#host}:${
        this.#port
      }\r\ncontent-type: application/json\r\n` +
      `${lines}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    this.#open().write(text);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    if (this.#socket && !this.#socket.destroyed) return this.#socket;
    const socket = connect({
      host: this.#host,
      port: this.#port,
      noDelay: true,
    });
    this.#socket = socket;
    this.#received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket === socket) {
        this.#socket = undefined;
        this.#finish(0, '');
      }
    });
    return socket;
  }

  #receive(chunk: Buffer): void {
    this.#received =
      this.#received.length === 0
        ? chunk
        : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end);
    const length = Number(/\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const body = this.#received.toString('utf8', end + 4, end + 4 + length);
    this.#received = this.#received.subarray(end + 4 + length);
    if (/\nconnection: close/i.test(head)) {
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.destroy();
    }
    this.#finish(Number(head.slice(9, 12)), body);
  }

  #finish(status: number, body: string): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    waiting.done({ status, body, took: performance.now() - waiting.since });
    this.#idle(this);
  }
}

/** A bounded set of connections; requests beyond it wait in order. */
export class HttpLoad {
  readonly #all: Connection[] = [];
  readonly #free: Connection[] = [];
  readonly #queue: Waiting[] = [];
  readonly #host: string;
  readonly #port: number;
  readonly #connections: number;

  constructor(url: string, connections: number) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#connections = connections;
  }

  post(request: Request): Promise<Answer> {
    return new Promise(done => {
      const waiting = { request, since: performance.now(), done };
      const connection = this.#free.pop() ?? this.#more();
      if (connection) connection.send(waiting);
      else this.#queue.push(waiting);
    });
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  #more(): Connection | undefined {
    if (this.#all.length >= this.#connections) return undefined;
    const connection = new Connection(this.#host, this.#port, idle => {
      const next = this.#queue.shift();
      if (next) idle.send(next);
      else this.#free.push(idle);
    });
    this.#all.push(connection);
    return connection;
  }
}

/** What one run of load gave. Latencies in milliseconds. */
export interface LoadResult {
  perSecond: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
  /** Answers by status; 0 = connection lost. */
  statuses: Record<string, number>;
}

function summary(
  latencies: number[],
  statuses: Record<string, number>,
  seconds: number,
): LoadResult {
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[
      Math.min(latencies.length - 1, Math.floor(latencies.length * share))
    ] ?? NaN;
  return {
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
    statuses,
  };
}

type Run = {
  url: string;
  seconds: number;
  next: () => Request;
  onAnswer?: (request: Request, answer: Answer) => void;
};

/** Closed loop: `clients` that each send their next request when the last was answered. Latency counts from sending. */
export async function closedLoop(
  run: Run & { clients: number },
): Promise<LoadResult> {
  const load = new HttpLoad(run.url, run.clients);
  const latencies: number[] = [];
  const statuses: Record<string, number> = {};
  const start = performance.now();
  const end = start + run.seconds * 1000;
  await Promise.all(
    Array.from({ length: run.clients }, async () => {
      while (performance.now() < end) {
        const request = run.next();
        const answer = await load.post(request);
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
        latencies.push(answer.took);
        run.onAnswer?.(request, answer);
        // A service that is away refuses at once; asking in a tight loop would only burn the processor.
        if (answer.status === 0)
          await new Promise(resolve => setTimeout(resolve, 50));
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  load.close();
  return summary(latencies, statuses, seconds);
}

/**
 * Open loop: requests arrive at random (Poisson, `rate` per second) whether or not the service keeps up. Latency counts from the planned
 * arrival, so a stall is seen by everyone who would have come in it (no coordinated omission).
 */
export async function openLoop(
  run: Run & {
    rate: number;
    connections?: number;
    /** Ends it before `seconds` are over. */
    over?: () => boolean;
  },
): Promise<LoadResult> {
  const load = new HttpLoad(run.url, run.connections ?? 512);
  const latencies: number[] = [];
  const statuses: Record<string, number> = {};
  const pending: Promise<void>[] = [];
  const start = performance.now();
  const gap = () => (-Math.log(1 - Math.random()) / run.rate) * 1000;
  for (
    let planned = start;
    planned < start + run.seconds * 1000 && !run.over?.();
    planned += gap()
  ) {
    const wait = planned - performance.now();
    if (wait > 1) await new Promise(resolve => setTimeout(resolve, wait));
    const request = run.next();
    pending.push(
      load.post(request).then(answer => {
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
        latencies.push(performance.now() - planned);
        run.onAnswer?.(request, answer);
      }),
    );
  }
  await Promise.all(pending);
  const seconds = (performance.now() - start) / 1000;
  load.close();
  return summary(latencies, statuses, seconds);
}
