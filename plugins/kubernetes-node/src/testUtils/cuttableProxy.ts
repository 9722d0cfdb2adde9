import {
  connect as connectTcp,
  createServer,
  type AddressInfo,
  type Socket,
} from 'node:net';

/** A TCP port that leads to another one, and whose connections can be broken. */
export async function cuttableProxy(target: string) {
  const { hostname, port, protocol } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer(near => {
    const far = connectTcp(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const cut = () => sockets.forEach(socket => socket.destroy());
  return {
    url: `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    async close() {
      cut();
      await new Promise(done => server.close(done));
    },
  };
}
