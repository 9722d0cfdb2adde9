// @ts-check
'use strict';

const http = require('node:http');
const net = require('node:net');

/** Headers between two neighbours only (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Below the idle timeouts of the usual servers (uvicorn and Node.js: 5 s), so that no request meets a connection that is just being closed. */
const IDLE_CONNECTION_MS = 2_000;
/** How long clients may keep an idle connection to us. */
const CLIENT_KEEP_ALIVE_MS = 75_000;

/** An instance of a service, and what is under way there. */
class Target {
  /** @param {number} port */
  constructor(port) {
    this.port = port;
    this.requests = 0;
    this.failures = 0;
    /** Functions that cut off what is under way. @type {Set<() => void>} */
    this.active = new Set();
    /** @type {Set<() => void>} */
    this.whenIdle = new Set();
    this.agent = new http.Agent({
      keepAlive: true,
      timeout: IDLE_CONNECTION_MS,
    });
  }

  /** @param {() => void} cut @returns a function that says that it is over */
  enter(cut) {
    this.active.add(cut);
    return () => {
      if (!this.active.delete(cut) || this.active.size > 0) return;
      for (const tell of this.whenIdle) tell();
    };
  }

  /** @param {number} timeoutMs @returns {Promise<number>} how many were cut off */
  async drain(timeoutMs) {
    if (this.active.size > 0 && timeoutMs > 0) {
      await new Promise(resolve => {
        const timer = setTimeout(resolve, timeoutMs);
        const tell = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
        this.whenIdle.add(tell);
      });
      this.whenIdle.clear();
    }
    const left = [...this.active];
    for (const cut of left) cut();
    this.agent.destroy();
    return left.length;
  }
}

/** One service's stable port. */
class Route {
  /** @type {Target[]} */
  #targets = [];
  /** Those that get nothing new but still have something under way. @type {Map<number, Target>} */
  #leaving = new Map();
  #next = 0;
  #idleTimeoutMs;
  #server;
  /** @type {Set<import('node:stream').Duplex>} */
  #tunnels = new Set();

  /**
   * @param {string} name
   * @param {number} port
   * @param {number} idleTimeoutMs longest silence of an instance while a request is under way
   */
  constructor(name, port, idleTimeoutMs) {
    this.name = name;
    this.port = port;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#server = http.createServer(
      // How long a body may take to come is the service's to say.
      { keepAliveTimeout: CLIENT_KEEP_ALIVE_MS, requestTimeout: 0 },
      (req, res) => this.#handle(req, res),
    );
    this.#server.on('upgrade', (req, socket, head) =>
      this.#tunnel(req, socket, head),
    );
  }

  /** @returns {Promise<void>} */
  listen() {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(
        { port: this.port, host: '127.0.0.1', exclusive: true },
        () => {
          this.#server.off('error', reject);
          resolve();
        },
      );
    });
  }

  /** From now on requests go there, in turns; what is under way elsewhere goes on. @param {number[]} ports */
  setTargets(ports) {
    const known = new Map(this.#leaving);
    for (const target of this.#targets) known.set(target.port, target);
    this.#targets = ports.map(port => known.get(port) ?? new Target(port));
    for (const port of ports) known.delete(port);
    this.#leaving = known;
  }

  /** @param {number[]} ports @param {number} timeoutMs */
  async drain(ports, timeoutMs) {
    const cut = await Promise.all(
      ports.map(async port => {
        const target = this.#leaving.get(port);
        const count = (await target?.drain(timeoutMs)) ?? 0;
        if (this.#leaving.get(port) === target) this.#leaving.delete(port);
        return count;
      }),
    );
    return cut.reduce((sum, count) => sum + count, 0);
  }

  /** @param {number} timeoutMs */
  async close(timeoutMs) {
    const closed = new Promise(resolve => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    const targets = [...this.#targets, ...this.#leaving.values()];
    await Promise.all(targets.map(target => target.drain(timeoutMs)));
    this.#server.closeAllConnections();
    for (const tunnel of this.#tunnels) tunnel.destroy();
    await closed;
  }

  figures() {
    return Object.fromEntries(
      [...this.#targets, ...this.#leaving.values()].map(
        ({ port, requests, failures, active }) => [
          port,
          { requests, failures, active: active.size },
        ],
      ),
    );
  }

  /** The instances in the order in which this request tries them. */
  #order() {
    const targets = this.#targets;
    this.#next = (this.#next + 1) % Math.max(targets.length, 1);
    return targets.map((_, i) => targets[(this.#next + i) % targets.length]);
  }

  /** @param {http.IncomingMessage} req @param {http.ServerResponse} res */
  #handle(req, res) {
    req.on('error', () => {});
    res.on('error', () => {});
    this.#forward(req, res, this.#order());
  }

  /** @param {http.IncomingMessage} req @param {http.ServerResponse} res @param {Target[]} order */
  #forward(req, res, [target, ...others]) {
    if (!target) {
      answer(res, 503, `No instance of ${this.name} answers`);
      return;
    }
    let over = false;
    let began = false;
    const upstream = http.request({
      host: '127.0.0.1',
      port: target.port,
      method: req.method,
      path: req.url,
      headers: requestHeaders(req),
      agent: target.agent,
      timeout: this.#idleTimeoutMs,
    });
    const leave = target.enter(() => {
      upstream.destroy();
      res.destroy();
    });
    const end = (/** @type {boolean} */ failed) => {
      if (over) return;
      over = true;
      target.requests += 1;
      if (failed) target.failures += 1;
      leave();
    };
    // The body waits until there is somebody to read it: a refused connection costs nothing and can be tried elsewhere.
    const begin = () => {
      if (began || over) return;
      began = true;
      req.pipe(upstream);
    };
    upstream.once('socket', socket => {
      if (socket.connecting) socket.once('connect', begin);
      else begin();
    });
    upstream.on('timeout', () => {
      if (over) return;
      if (!res.headersSent) {
        answer(res, 504, `${this.name} did not answer in time`);
      } else {
        res.destroy();
      }
      end(true);
      upstream.destroy();
    });
    upstream.on('error', error => {
      if (over) return;
      // Nothing has reached it, or a read met a kept connection that was closed under us: only what changes nothing may be sent twice.
      const untouched =
        !began ||
        (upstream.reusedSocket &&
          isRead(req) &&
          /** @type {NodeJS.ErrnoException} */ (error).code === 'ECONNRESET');
      if (untouched && !res.headersSent && !res.destroyed) {
        over = true;
        leave();
        const again = began ? [target, ...others] : others;
        if (!began) {
          target.requests += 1;
          target.failures += 1;
        }
        this.#forward(req, res, again);
        return;
      }
      end(true);
      req.unpipe(upstream);
      if (!res.headersSent) {
        answer(res, 502, `${this.name} ended the connection without an answer`);
      } else {
        // Whoever reads must see that it is not whole.
        res.destroy();
      }
    });
    upstream.on('response', message => {
      res.writeHead(
        message.statusCode ?? 502,
        message.statusMessage,
        passedHeaders(message.rawHeaders, message.headers.connection),
      );
      message.pipe(res);
      message.on('error', () => {});
      message.on('close', () => {
        if (message.complete) return;
        end(true);
        res.destroy();
      });
      res.on('finish', () => end((message.statusCode ?? 502) >= 500));
    });
    // The client has gone, or everything is sent.
    res.on('close', () => {
      if (over || res.writableFinished) return;
      end(false);
      upstream.destroy();
    });
  }

  /**
   * WebSockets and other upgrades: bytes both ways.
   * @param {http.IncomingMessage} req @param {import('node:stream').Duplex} client @param {Buffer} head
   */
  #tunnel(req, client, head) {
    const [target] = this.#order();
    client.on('error', () => {});
    if (!target) {
      client.end(
        'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n',
      );
      return;
    }
    const upstream = net.connect(target.port, '127.0.0.1');
    const leave = target.enter(() => {
      upstream.destroy();
      client.destroy();
    });
    target.requests += 1;
    this.#tunnels.add(client);
    let connected = false;
    upstream.on('connect', () => {
      connected = true;
      const lines = [`${req.method} ${req.url} HTTP/1.1`];
      for (let i = 0; i < req.rawHeaders.length; i += 2) {
        lines.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`);
      }
      upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
      upstream.write(head);
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.on('error', () => {
      target.failures += 1;
      if (!connected) {
        client.write('HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n');
      }
    });
    upstream.on('close', () => {
      client.end();
      this.#tunnels.delete(client);
      leave();
    });
    client.on('close', () => upstream.destroy());
  }
}

/** @param {http.IncomingMessage} req */
function isRead(req) {
  return (
    ['GET', 'HEAD', 'OPTIONS'].includes(req.method ?? '') &&
    req.headers['transfer-encoding'] === undefined &&
    Number(req.headers['content-length'] ?? 0) === 0
  );
}

/** @param {http.IncomingMessage} req @returns {string[]} */
function requestHeaders(req) {
  const headers = passedHeaders(req.rawHeaders, req.headers.connection).filter(
    (_, i, all) =>
      !/^(expect|via|x-forwarded-(for|proto|host))$/i.test(all[i - (i % 2)]),
  );
  if (req.headers['transfer-encoding']) {
    headers.push('transfer-encoding', 'chunked');
  }
  const before = req.headers['x-forwarded-for'];
  const client = req.socket.remoteAddress ?? 'unknown';
  headers.push('x-forwarded-for', before ? `${before}, ${client}` : client);
  headers.push('x-forwarded-proto', 'http');
  if (req.headers.host) headers.push('x-forwarded-host', req.headers.host);
  const via = req.headers.via;
  headers.push('via', `${via ? `${via}, ` : ''}${req.httpVersion} rocket`);
  return headers;
}

/**
 * What is meant for the other end: all but the headers of this connection.
 * @param {string[]} raw name, value, name, value …
 * @param {string | undefined} connection
 */
function passedHeaders(raw, connection) {
  const named = new Set(
    (connection ?? '').split(',').map(name => name.trim().toLowerCase()),
  );
  const passed = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase();
    if (HOP_BY_HOP.has(name) || named.has(name)) continue;
    passed.push(raw[i], raw[i + 1]);
  }
  return passed;
}

/** @param {http.ServerResponse} res @param {number} status @param {string} detail */
function answer(res, status, detail) {
  if (res.destroyed) return;
  const body = JSON.stringify({
    type: 'about:blank',
    title: http.STATUS_CODES[status],
    status,
    detail,
  });
  res.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 503 ? { 'retry-after': '1' } : {}),
    // The rest of the request may never be read.
    connection: 'close',
  });
  res.end(body);
}

module.exports = { Route };
