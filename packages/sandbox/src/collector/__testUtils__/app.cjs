// A small service for the test of the collector; started with `-r newrelic`.
const http = require('node:http');
const newrelic = require('newrelic');

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://localhost');
  newrelic.addCustomAttribute('criticalPath', 'transaction-posting');
  newrelic.recordCustomEvent('FixtureEvent', { path: url.pathname });
  setTimeout(() => {
    res.statusCode = Number(url.searchParams.get('status') ?? 200);
    res.end('done');
  }, 20);
});
server.listen(0, '127.0.0.1', () => {
  // eslint-disable-next-line no-console
  console.log(`listening on ${server.address().port}`);
});
