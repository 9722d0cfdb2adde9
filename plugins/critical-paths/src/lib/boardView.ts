import {
  BOARD_SIGNALS,
  BOARD_WINDOWS,
  PATH_STATES,
  type BoardRow,
  type BoardWindow,
  type PathState,
} from '@rocket/plugin-critical-paths-common';
import { STATES } from '@rocket/rocket-react';
import { worstBudget } from './figures';
import { SIGNAL_SORT_KEYS, type SignalSortKey } from './signalBoard';

/** Shown when the address names no window. */
export const DEFAULT_WINDOW: BoardWindow = '24h';

/** The boards: all signals at once, one per signal, and one row per team. */
export const BOARDS = ['overview', ...BOARD_SIGNALS, 'teams'] as const;
export type Board = (typeof BOARDS)[number];

/** What the board can be sorted by. */
export const SORT_KEYS = [
  'state',
  'path',
  'businessModel',
  'owner',
  'availability',
  'budget',
  'throughput',
  'errorRate',
  'latency',
  'age',
] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** Column and direction. */
export interface Sort {
  key: SortKey;
  descending: boolean;
}

/** Direction of the first click: the worst, the busiest or A comes first. */
const STARTS_DESCENDING: ReadonlySet<SortKey> = new Set<SortKey>([
  'throughput',
  'errorRate',
  'latency',
  'age',
]);

const DEFAULT_SORT: Sort = { key: 'state', descending: false };
const DEFAULT_SIGNAL_SORT: BoardView['signalSort'] = {
  key: 'worst',
  descending: false,
};

/** Everything about the board that its address says. */
export interface BoardView {
  board: Board;
  /** For a screen on a wall: nothing but the figures, large. */
  wall: boolean;
  window: BoardWindow;
  businessModel?: string;
  owner?: string;
  states: PathState[];
  text: string;
  /** Sort of the overview. */
  sort: Sort;
  /** Sort of a signal's board. */
  signalSort: { key: SignalSortKey; descending: boolean };
}

/** Reads the window of an address; `rejected` is a value that is not allowed. */
export function readWindow(params: URLSearchParams): {
  window: BoardWindow;
  rejected?: string;
} {
  const wanted = params.get('window');
  if (wanted === null) {
    return { window: DEFAULT_WINDOW };
  }
  const window = BOARD_WINDOWS.find(known => known === wanted);
  return window
    ? { window }
    : { window: DEFAULT_WINDOW, rejected: wanted.slice(0, 40) };
}

/** Reads an address. What it cannot understand becomes the default. */
export function readView(params: URLSearchParams): BoardView {
  const wantedSort = params.get('sort') ?? '';
  const wantedOrder = params.get('order') ?? '';
  const order = SIGNAL_SORT_KEYS.find(
    known => known === wantedOrder.replace(/^-/, ''),
  );
  const key = SORT_KEYS.find(known => known === wantedSort.replace(/^-/, ''));
  const states = (params.get('state') ?? '').split(',');
  return {
    board: BOARDS.find(known => known === params.get('board')) ?? 'overview',
    wall: params.get('wall') === 'on',
    window: readWindow(params).window,
    businessModel: params.get('businessModel') || undefined,
    owner: params.get('owner') || undefined,
    states: PATH_STATES.filter(state => states.includes(state)),
    text: params.get('q') ?? '',
    sort: key ? { key, descending: wantedSort.startsWith('-') } : DEFAULT_SORT,
    signalSort: order
      ? { key: order, descending: wantedOrder.startsWith('-') }
      : DEFAULT_SIGNAL_SORT,
  };
}

/** Writes a view into an address and leaves other parameters alone. */
export function writeView(
  params: URLSearchParams,
  view: BoardView,
): URLSearchParams {
  const next = new URLSearchParams(params);
  const set = (name: string, value: string | undefined, fallback = '') => {
    if (!value || value === fallback) {
      next.delete(name);
    } else {
      next.set(name, value);
    }
  };
  const { key, descending } = view.sort;
  set('board', view.board, 'overview');
  set('wall', view.wall ? 'on' : undefined);
  set('window', view.window, DEFAULT_WINDOW);
  set('businessModel', view.businessModel);
  set('owner', view.owner);
  set('state', view.states.join(','));
  set('q', view.text);
  set('sort', `${descending ? '-' : ''}${key}`, DEFAULT_SORT.key);
  set(
    'order',
    `${view.signalSort.descending ? '-' : ''}${view.signalSort.key}`,
    DEFAULT_SIGNAL_SORT.key,
  );
  return next;
}

/** The sort after a click on a column. */
export function nextSort(current: Sort, key: SortKey): Sort {
  return current.key === key
    ? { key, descending: !current.descending }
    : { key, descending: STARTS_DESCENDING.has(key) };
}

function sortValue(row: BoardRow, key: SortKey): number | string | null {
  switch (key) {
    case 'state':
      return STATES[row.state].rank;
    case 'path':
      return row.title;
    case 'businessModel':
      return row.businessModel;
    case 'owner':
      return row.owner;
    case 'availability':
      return row.signals.availability;
    case 'budget':
      return worstBudget(row.objectives);
    case 'throughput':
      return row.signals.throughputPerMinute;
    case 'errorRate':
      return row.signals.errorRate;
    case 'latency':
      return row.signals.latency.p95Ms;
    default:
      return row.data.ageSeconds;
  }
}

function compare(a: number | string, b: number | string): number {
  return typeof a === 'string' || typeof b === 'string'
    ? String(a).localeCompare(String(b), 'en')
    : a - b;
}

/** Sorts a copy. Rows without the figure stay at the end in both directions. */
export function sortRows(rows: BoardRow[], sort: Sort): BoardRow[] {
  return [...rows].sort((a, b) => {
    const left = sortValue(a, sort.key);
    const right = sortValue(b, sort.key);
    let order: number;
    if (left === null || right === null) {
      order = Number(left === null) - Number(right === null);
    } else {
      order = compare(left, right) * (sort.descending ? -1 : 1);
    }
    return order || a.title.localeCompare(b.title, 'en');
  });
}

/** What every row that can be filtered says about its path. */
export type FilterableRow = Pick<
  BoardRow,
  'title' | 'name' | 'owner' | 'businessModel' | 'state'
> &
  Partial<Pick<BoardRow, 'description' | 'type'>>;

/** The rows that pass every filter; with `ignoreStates` all states pass. */
export function filterRows<T extends FilterableRow>(
  rows: T[],
  view: Pick<BoardView, 'text' | 'businessModel' | 'owner' | 'states'>,
  options: { ignoreStates?: boolean } = {},
): T[] {
  const words = view.text.toLocaleLowerCase('en').split(/\s+/).filter(Boolean);
  return rows.filter(row => {
    if (view.businessModel && row.businessModel !== view.businessModel) {
      return false;
    }
    if (view.owner && row.owner !== view.owner) {
      return false;
    }
    if (
      !options.ignoreStates &&
      view.states.length > 0 &&
      !view.states.includes(row.state)
    ) {
      return false;
    }
    const text = [
      row.title,
      row.name,
      row.description,
      row.type,
      row.owner,
      row.businessModel,
    ]
      .join(' ')
      .toLocaleLowerCase('en');
    return words.every(word => text.includes(word));
  });
}

/** How many rows are in each state. */
export function countStates(
  rows: Pick<BoardRow, 'state'>[],
): Record<PathState, number> {
  const counts = Object.fromEntries(
    PATH_STATES.map(state => [state, 0]),
  ) as Record<PathState, number>;
  for (const row of rows) {
    counts[row.state] += 1;
  }
  return counts;
}
