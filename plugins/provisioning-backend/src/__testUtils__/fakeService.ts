/** The smallest service there is: 30 lines of Node.js without dependencies. */
const SERVER = `
const http = require('node:http');
const fs = require('node:fs');
const behaviour = JSON.parse(fs.readFileSync('behaviour.json', 'utf8'));
console.log('I am ' + process.env.ROCKET_SERVICE_NAME);
console.log('secret ' + process.env.DATABASE_URL + ' ' + process.env.NEW_RELIC_LICENSE_KEY);
if (behaviour.exitAtStart) { console.error('cannot go on'); process.exit(3); }
let ready = behaviour.ready !== false;
const server = http.createServer((req, res) => {
  if (req.url === '/readyz') { res.statusCode = ready ? 200 : 503; res.end(); return; }
  if (req.url === '/crash') { res.end('bye'); setImmediate(() => process.exit(7)); return; }
  if (req.url === '/unready') { ready = false; res.end(); return; }
  if (req.url === '/reready') { ready = true; res.end(); return; }
  if (req.url === '/crash-always') { behaviour.exitAtStart = true; fs.writeFileSync('behaviour.json', JSON.stringify(behaviour)); res.end(); setImmediate(() => process.exit(7)); return; }
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify({ version: behaviour.version, pid: process.pid, env: process.env }));
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => { if (!behaviour.stubborn) process.exit(0); });
`;

export function manifest(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'Runtime',
    spec: {
      language: 'nodejs',
      start: ['node', 'server.js'],
      health: { live: '/healthz', ready: '/readyz' },
      docs: '/docs',
      ...changes,
    },
  });
}

/** Files of a repository with that service. JSON is YAML, too. */
export function fakeService(
  behaviour: {
    version?: string;
    exitAtStart?: boolean;
    ready?: boolean;
    stubborn?: boolean;
  } = {},
  changes: Record<string, unknown> = {},
): Record<string, string> {
  return {
    'rocket.yaml': manifest(changes),
    'server.js': SERVER,
    'behaviour.json': JSON.stringify(behaviour),
  };
}
