import type {
  BoardResponse,
  BoardRow,
  PathDetail,
  SignalBoardResponse,
  TeamsResponse,
} from '@rocket/plugin-critical-paths-common';

type Cell = string | number | boolean | null | undefined;
type Column<T> = [heading: string, value: (row: T) => Cell];

/**
 * One cell as RFC 4180 has it. A text that a spreadsheet would take for a
 * formula is led by an apostrophe, which spreadsheets do not show; numbers are
 * written as they are.
 */
function cell(value: Cell): string {
  if (value === null || value === undefined) {
    return '';
  }
  if (typeof value !== 'string') {
    return String(value);
  }
  const text = /^[\s]*[=+\-@|%\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n;]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** A table as CSV with a heading, lines ended by CR LF. */
export function toCsv<T>(columns: Column<T>[], rows: readonly T[]): string {
  return [
    columns.map(([heading]) => cell(heading)),
    ...rows.map(row => columns.map(([, value]) => cell(value(row)))),
  ]
    .map(line => `${line.join(',')}\r\n`)
    .join('');
}

type PathLike = Pick<
  BoardRow,
  'entityRef' | 'title' | 'businessModel' | 'owner' | 'state' | 'stateReasons'
>;

const PATH_COLUMNS: Column<PathLike>[] = [
  ['path', row => row.entityRef],
  ['title', row => row.title],
  ['business model', row => row.businessModel],
  ['owner', row => row.owner],
  ['state', row => row.state],
  ['reasons', row => row.stateReasons.join('; ')],
];

/** The whole board. Ratios are 0 to 1, times in ms, as in the API. */
export function boardCsv({ from, to, rows }: BoardResponse): string {
  return toCsv<BoardRow>(
    [
      ...PATH_COLUMNS,
      ['from', () => from],
      ['to', () => to],
      ['valid', row => row.signals.valid],
      ['good', row => row.signals.good],
      ['availability', row => row.signals.availability],
      ['previous availability', row => row.previous.signals.availability],
      ['error rate', row => row.signals.errorRate],
      ['requests per minute', row => row.signals.throughputPerMinute],
      ['p50 ms', row => row.signals.latency.p50Ms],
      ['p95 ms', row => row.signals.latency.p95Ms],
      ['p99 ms', row => row.signals.latency.p99Ms],
      ['objective', row => row.budget?.label],
      ['budget remaining', row => row.budget?.budget?.remaining],
      ['budget remaining minutes', row => row.budget?.budget?.remainingMinutes],
      ['burn rate 1h', row => row.budget?.burn['1h']],
      ['burn rate 6h', row => row.budget?.burn['6h']],
      ['burn rate 3d', row => row.budget?.burn['3d']],
      ['alert', row => row.budget?.alert],
      ['most burned by', row => row.attribution.top[0]?.entityRef],
      ['share percent', row => row.attribution.top[0]?.sharePercent],
      ['data age seconds', row => row.data.ageSeconds],
      ['sources', row => row.data.sources.join(' ')],
    ],
    rows,
  );
}

/** The board of one signal, in its unit. */
export function signalBoardCsv(board: SignalBoardResponse): string {
  return toCsv(
    [
      ...PATH_COLUMNS,
      ['from', () => board.from],
      ['to', () => board.to],
      ['unit', () => board.unit],
      [board.signal, row => row.value],
      ['previous', row => row.previous],
      ['target', row => row.target],
      ['met', row => row.met],
      ['valid', row => row.valid],
      ['data age seconds', row => row.ageSeconds],
    ],
    board.rows,
  );
}

/** The teams. */
export function teamsCsv({ from, to, rows }: TeamsResponse): string {
  return toCsv(
    [
      ['team', row => row.entityRef],
      ['title', row => row.title],
      ['parent', row => row.parent],
      ['state', row => row.state],
      ['paths', row => row.paths.length],
      ['own paths', row => row.ownPaths],
      ['from', () => from],
      ['to', () => to],
      ['valid', row => row.signals.valid],
      ['availability', row => row.signals.availability],
      ['error rate', row => row.signals.errorRate],
      ['requests per minute', row => row.signals.throughputPerMinute],
      ['p95 ms', row => row.signals.latency.p95Ms],
      ['p99 ms', row => row.signals.latency.p99Ms],
      ['budget remaining', row => row.budgetRemaining],
      ['alert', row => row.alert],
    ],
    rows,
  );
}

/** The applications of a path, with what each of them burned. */
export function pathCsv(path: PathDetail): string {
  const burned = new Map(path.attribution.rows.map(r => [r.entityRef, r]));
  return toCsv(
    [
      ['path', () => path.entityRef],
      ['application', row => row.entityRef],
      ['owner', row => row.owner],
      ['steps', row => row.steps.join(' ')],
      ['state', row => row.state],
      ['reasons', row => row.stateReasons.join('; ')],
      ['from', () => path.from],
      ['to', () => path.to],
      ['valid', row => row.signals.valid],
      ['good', row => row.signals.good],
      ['availability', row => row.signals.availability],
      ['previous availability', row => row.previous.availability],
      ['error rate', row => row.signals.errorRate],
      ['requests per minute', row => row.signals.throughputPerMinute],
      ['p95 ms', row => row.signals.latency.p95Ms],
      ['p99 ms', row => row.signals.latency.p99Ms],
      ['burned events', row => burned.get(row.entityRef)?.ownEvents],
      ['burned share percent', row => burned.get(row.entityRef)?.sharePercent],
      ['upstream events', row => burned.get(row.entityRef)?.upstreamEvents],
      ['open incidents', row => row.incidents?.open],
      ['minutes to recover', row => row.incidents?.timeToRecoverMinutes],
    ],
    path.applicationDetails,
  );
}
