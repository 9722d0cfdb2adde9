// @ts-check
/**
 * The proxy in front of the local runtime's services, a process of its own: one
 * stable port per service, behind it the ports of the instances that serve it
 * now. The backend says what is where over IPC; without the backend it ends.
 * Plain JavaScript, so that it starts in a checkout and from a package alike.
 *
 * Messages: { id, op, ... }; each is answered by { id, ...result } or
 * { id, error, code }.
 */
'use strict';

const { Route } = require('./Route');

/** @type {Map<string, Route>} */
const routes = new Map();

/** @type {Record<string, (message: any) => Promise<object>>} */
const operations = {
  /** Listens on `port` for the service `name` and sends what comes to `targets`; both can change. */
  async route({ name, port, targets, idleTimeoutMs }) {
    let route = routes.get(name);
    if (route && route.port !== port) {
      await route.close(0);
      routes.delete(name);
      route = undefined;
    }
    if (!route) {
      route = new Route(name, port, idleTimeoutMs);
      route.setTargets(targets);
      await route.listen();
      routes.set(name, route);
    }
    route.setTargets(targets);
    return {};
  },
  /** Waits until nothing is under way at these ports any more, or cuts it off after `timeoutMs`. */
  async drain({ name, ports, timeoutMs }) {
    return { cut: (await routes.get(name)?.drain(ports, timeoutMs)) ?? 0 };
  },
  /** Stops listening; what is under way has `timeoutMs` to end. */
  async remove({ name, timeoutMs }) {
    const route = routes.get(name);
    routes.delete(name);
    await route?.close(timeoutMs);
    return {};
  },
  /** Requests and failures (5xx or no answer) by port, since the port became a target. */
  async figures({ name }) {
    return { figures: routes.get(name)?.figures() ?? {} };
  },
};

process.on('message', async (/** @type {any} */ message) => {
  const { id, op } = message;
  /** @type {object} */
  let answer;
  try {
    answer = await operations[op](message);
  } catch (error) {
    const { message: text, code } = /** @type {NodeJS.ErrnoException} */ (
      error
    );
    answer = { error: text, code };
  }
  if (process.connected) process.send?.({ id, ...answer });
});

process.on('disconnect', () => process.exit(0));
// Ctrl-C in a terminal reaches the whole group; the backend ends us when the services have ended.
process.on('SIGINT', () => {});
process.title = 'rocket-proxy';
process.send?.({ ready: true });
