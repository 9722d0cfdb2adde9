import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';

function find(name: string): string | undefined {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']
    .map(folder => join(folder, name))
    .find(file => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Programs of Debian's package `prometheus`; undefined where it is not installed. */
export const PROMETHEUS = (() => {
  const prometheus = find('prometheus');
  const promtool = find('promtool');
  return prometheus && promtool ? { prometheus, promtool } : undefined;
})();

/** True where the tests can run; elsewhere it says loudly that nothing was tested. */
export function hasPrometheus(what: string): boolean {
  if (!PROMETHEUS) {
    // eslint-disable-next-line no-console
    console.error(
      `NOT RUN: ${what}. They need a real Prometheus, and there is none here; install Debian's package: apt-get install prometheus`,
    );
  }
  return PROMETHEUS !== undefined;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

export interface RunningPrometheus {
  url: string;
  stop(): Promise<void>;
}

/**
 * A real Prometheus on the loopback address that holds exactly these samples,
 * put into its blocks beforehand, so that nothing depends on the clock.
 *
 * @param openMetrics - text of OpenMetrics with timestamps, ended by `# EOF`
 */
export async function startPrometheus(
  folder: string,
  openMetrics: string,
  flags: string[] = [],
): Promise<RunningPrometheus> {
  const { prometheus, promtool } = PROMETHEUS!;
  const data = join(folder, 'data');
  await mkdir(data, { recursive: true });
  await writeFile(join(folder, 'samples.txt'), openMetrics);
  await writeFile(join(folder, 'prometheus.yml'), 'scrape_configs: []\n');
  execFileSync(
    promtool,
    [
      'tsdb',
      'create-blocks-from',
      'openmetrics',
      join(folder, 'samples.txt'),
      data,
    ],
    { stdio: 'pipe' },
  );
  const port = await freePort();
  const child: ChildProcess = spawn(
    prometheus,
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr!.on('data', part => (log += part));
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    const ready = await fetch(`${url}/-/ready`).then(
      response => response.ok,
      () => false,
    );
    if (ready) break;
    if (child.exitCode !== null) {
      throw new Error(`Prometheus ended: ${log}`);
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return {
    url,
    stop: async () => {
      const ended = new Promise(resolve => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** One process that counts its requests and is looked at every `everySeconds`. */
export interface Instance {
  labels: Record<string, string>;
  requests: {
    /** Epoch seconds. */
    at: number;
    status?: string;
    errorType?: string;
    seconds: number;
    method?: string;
    route?: string;
    path?: string;
  }[];
  /** Epoch seconds; the process starts and restarts counting from 0 at these. */
  starts: number[];
  /** Epoch seconds; looked at in `[from, to]` only, and not in the gaps. */
  from: number;
  to: number;
  gaps?: [from: number, to: number][];
}

/** The samples of a classic histogram as a scraper would see them, as OpenMetrics. */
export function toOpenMetrics(
  instances: Instance[],
  options: { metric?: string; boundsSeconds: number[]; everySeconds?: number },
): string {
  const {
    metric = 'http_server_request_duration_seconds',
    boundsSeconds,
    everySeconds = 15,
  } = options;
  const bounds = [...boundsSeconds, Infinity];
  const lines = [`# TYPE ${metric} histogram`];
  for (const { labels, requests, starts, from, to, gaps = [] } of instances) {
    const pending = [...requests].sort((a, b) => b.at - a.at);
    const restarts = [...starts].sort((a, b) => b - a);
    const groups = new Map<string, number[]>();
    for (let at = from; at <= to; at += everySeconds) {
      while (restarts.length > 0 && restarts[restarts.length - 1] <= at) {
        // What was counted before, and not looked at, is gone.
        const start = restarts.pop()!;
        while (pending.length > 0 && pending[pending.length - 1].at < start) {
          pending.pop();
        }
        groups.clear();
      }
      while (pending.length > 0 && pending[pending.length - 1].at <= at) {
        const one = pending.pop()!;
        const text = Object.entries({
          ...labels,
          http_response_status_code: one.status,
          error_type: one.errorType,
          http_request_method: one.method,
          http_route: one.route,
          critical_path: one.path,
        })
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
          .join(',');
        const counts = groups.get(text) ?? bounds.map(() => 0);
        groups.set(text, counts);
        bounds.forEach((bound, i) => {
          if (one.seconds <= bound) counts[i] += 1;
        });
      }
      if (gaps.some(gap => at >= gap[0] && at < gap[1])) continue;
      for (const [text, counts] of groups) {
        counts.forEach((count, i) => {
          const le = bounds[i] === Infinity ? '+Inf' : String(bounds[i]);
          lines.push(`${metric}_bucket{${text},le="${le}"} ${count} ${at}`);
        });
      }
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}
