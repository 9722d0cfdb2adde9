import { Worker } from 'worker_threads';

/** Times to answer in milliseconds. */
export interface LatencyFigures {
  requests: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
  /** CPU time of the server's thread over requests; whatever else it did in the meantime is in it. */
  cpuMs: number;
}

// The client runs in a thread of its own: its work must not count as the server's.
const CLIENT = `
const { parentPort, workerData } = require('worker_threads');
const http = require('http');
const { urls, connections, seconds } = workerData;
let next = 0;
const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
const times = []; let bytes = 0;
const once = () => new Promise((resolve, reject) => {
  const url = urls[next++ % urls.length];
  const started = process.hrtime.bigint();
  http.get(url, { agent, headers: { 'accept-encoding': 'gzip' } }, res => {
    let size = 0;
    res.on('data', chunk => { size += chunk.length; });
    res.on('end', () => {
      if (res.statusCode !== 200) { reject(new Error(url + ' answered ' + res.statusCode)); return; }
      bytes = Math.max(bytes, size); times.push(Number(process.hrtime.bigint() - started) / 1e6); resolve();
    });
  }).on('error', reject);
});
const end = Date.now() + seconds * 1000;
Promise.all(Array.from({ length: connections }, async () => { do { await once(); } while (Date.now() < end); }))
  .then(() => { agent.destroy(); parentPort.postMessage({ times, bytes }); });
`;

/**
 * Asks for the addresses in turn, over so many connections, each with its next
 * request as soon as the last one is answered.
 *
 * @throws when an answer is not 200
 */
export async function load(
  urls: string[],
  connections: number,
  seconds: number,
): Promise<{ figures: LatencyFigures; bytes: number }> {
  const before = process.threadCpuUsage();
  const worker = new Worker(CLIENT, {
    eval: true,
    workerData: { urls, connections, seconds },
  });
  const { times, bytes } = await new Promise<{
    times: number[];
    bytes: number;
  }>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const { user, system } = process.threadCpuUsage(before);
  times.sort((a, b) => a - b);
  const at = (q: number) =>
    round(times[Math.min(times.length - 1, Math.floor(times.length * q))]);
  return {
    bytes,
    figures: {
      requests: times.length,
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
      max: at(1),
      cpuMs: round((user + system) / 1000 / times.length),
    },
  };
}

export function round(value: number): number {
  return Number(value.toFixed(2));
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
