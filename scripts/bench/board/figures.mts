/** What the programs of `./rocket bench board` measure, and how it is printed. */

/** Times to answer in milliseconds; CPU time of the server over requests. */
interface Latency {
  requests: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
  cpuMs: number;
}

/** Of dev/bench/board.ts of the plugin, for one database. */
export interface Board {
  database: string;
  seeded: { minutes: number; minuteRows: number; seconds: number };
  comparedRows: number;
  /** Bytes. */
  storage: {
    total: number;
    perPath: Record<
      'minutes' | 'hours' | 'days' | 'attribution' | 'total',
      number
    >;
  };
  cycle: {
    applications: number;
    seconds: number;
    cpuSeconds: number;
    attributionSeconds: number;
  };
  coldMs: Record<string, number>;
  answers: Record<string, Record<string, Latency>>;
  collections: number;
  bytes: number;
}

/** Of collection.ts. */
export interface Collection {
  applications: number;
  accounts: number;
  requestsFirstCycle: number;
  requestsPerCycle: number;
  secondsFirstCycle: number;
  secondsPerCycle: number;
  pathsMeasured: number;
  paths: number;
}

/** Of outage.ts. */
export interface Outage {
  database: string;
  cycle: { applications: number; seconds: number; requests: number };
  p95Ms: Record<'healthy' | 'slow' | 'down' | 'stale', number>;
  ratio: Record<'slow' | 'down', number>;
  staleAfterSeconds: number;
  paths: number;
  markedStale: number;
  markedAfterSeconds: number;
  olderAndNotMarked: number;
}

const ms = (value: number) => value.toFixed(1).padStart(9);
const kib = (bytes: number) => `${Math.round(bytes / 1024)} KiB`;

/** Times to answer of one database, a line for each page and window. */
export function printBoard(board: Board): void {
  console.log(
    `\n${board.database}: ${board.seeded.minutes} minutes of applications made and summed up in ` +
      `${Math.round(board.seeded.seconds)} s, ${
        board.comparedRows
      } rows compared with the store's own`,
  );
  console.log(
    'page          window       p50       p95       p99  ms    CPU ms   requests',
  );
  for (const [page, windows] of Object.entries(board.answers)) {
    for (const [window, figures] of Object.entries(windows)) {
      console.log(
        `${page.padEnd(13)} ${window.padEnd(6)}${ms(figures.p50)} ${ms(
          figures.p95,
        )} ${ms(figures.p99)} ${figures.cpuMs.toFixed(2).padStart(12)} ${String(
          figures.requests,
        ).padStart(10)}`,
      );
    }
  }
  const { cycle, storage } = board;
  console.log(
    `first board of a fresh process, ms: ${JSON.stringify(board.coldMs)}`,
  );
  console.log(
    `one collection of ${cycle.applications} applications: ${cycle.seconds} s (CPU ${cycle.cpuSeconds} s), ` +
      `attribution ${cycle.attributionSeconds} s`,
  );
  console.log(
    `storage of a path and ${board.database}: minutes as kept ${kib(
      storage.perPath.minutes,
    )}, a month of hours ${kib(storage.perPath.hours)}, of days ${kib(
      storage.perPath.days,
    )}, of attribution ${kib(
      storage.perPath.attribution,
    )}; all tables ${Math.round(storage.total / 1024 / 1024)} MiB`,
  );
}

export function printCollection(
  collection: Collection,
  maxRequests: number,
): void {
  console.log(
    `\nNerdGraph requests per cycle: ${collection.requestsPerCycle} in ${collection.secondsPerCycle} s ` +
      `(first cycle, with back-fill: ${collection.requestsFirstCycle} in ${collection.secondsFirstCycle} s); bound ${maxRequests}`,
  );
}

export function printOutage(outage: Outage): void {
  const { p95Ms, ratio, cycle } = outage;
  console.log(
    `\nboards while New Relic is healthy: p95 ${p95Ms.healthy} ms; 10 s slow: ${p95Ms.slow} ms (${ratio.slow} x); ` +
      `down: ${p95Ms.down} ms (${ratio.down} x); down for long: ${p95Ms.stale} ms`,
  );
  console.log(
    `${outage.markedStale} of ${outage.paths} paths called stale when nothing was read for ${outage.staleAfterSeconds} s; ` +
      `older and not called so: ${outage.olderAndNotMarked}`,
  );
  console.log(
    `one collection of ${cycle.applications} applications from the sandbox: ${cycle.seconds} s, ${cycle.requests} requests`,
  );
}
