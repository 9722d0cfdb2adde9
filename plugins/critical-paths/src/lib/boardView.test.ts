import { makeBoard, ROW_SPECS } from '../__testUtils__/fixtures';
import {
  countStates,
  filterRows,
  nextSort,
  readView,
  readWindow,
  SORT_KEYS,
  sortRows,
  writeView,
} from './boardView';

const { rows } = makeBoard({
  now: Date.UTC(2026, 10, 21, 12),
  window: '24h',
});
const names = (sorted: typeof rows) => sorted.map(row => row.name);

describe('the address of a board', () => {
  it('is empty for the default view', () => {
    const view = readView(new URLSearchParams());
    expect(writeView(new URLSearchParams('tab=1'), view).toString()).toBe(
      'tab=1',
    );
  });

  it('keeps every choice', () => {
    const address =
      'board=latency&wall=on&window=7d&businessModel=domain%3Adefault%2Fpayments&owner=group%3Adefault%2Fledger&state=at-risk%2Cstale&q=post&sort=-errorRate&order=-value';
    const view = readView(new URLSearchParams(address));
    expect(view).toEqual({
      board: 'latency',
      wall: true,
      signalSort: { key: 'value', descending: true },
      window: '7d',
      businessModel: 'domain:default/payments',
      owner: 'group:default/ledger',
      states: ['at-risk', 'stale'],
      text: 'post',
      sort: { key: 'errorRate', descending: true },
    });
    expect(writeView(new URLSearchParams(), view).toString()).toBe(address);
  });

  it('takes defaults for what it cannot understand', () => {
    const view = readView(
      new URLSearchParams('window=5h&state=fine,stale&sort=-colour'),
    );
    expect(view.window).toBe('24h');
    expect(view.states).toEqual(['stale']);
    expect(view.sort).toEqual({ key: 'state', descending: false });
    expect(readWindow(new URLSearchParams('window=5h')).rejected).toBe('5h');
  });
});

describe('sortRows', () => {
  it('puts the worst state first and missing knowledge before good news', () => {
    expect(
      sortRows(rows, { key: 'state', descending: false }).map(row => row.state),
    ).toEqual([
      'exhausted',
      'at-risk',
      'stale',
      'no-data',
      'unknown',
      'no-objective',
      'healthy',
    ]);
  });

  it.each(['availability', 'errorRate', 'latency'] as const)(
    'keeps rows without %s at the end in both directions',
    key => {
      for (const descending of [true, false]) {
        expect(names(sortRows(rows, { key, descending })).slice(-2)).toEqual([
          'chargeback-intake',
          'wallet-top-up',
        ]);
      }
    },
  );

  it('sorts by every column without losing a row', () => {
    for (const key of SORT_KEYS) {
      expect(names(sortRows(rows, { key, descending: true })).sort()).toEqual(
        ROW_SPECS.map(spec => spec.name).sort(),
      );
    }
  });

  it('turns round at the second click and starts where it matters', () => {
    const first = nextSort({ key: 'state', descending: false }, 'errorRate');
    expect(first).toEqual({ key: 'errorRate', descending: true });
    expect(nextSort(first, 'errorRate').descending).toBe(false);
    expect(nextSort(first, 'availability').descending).toBe(false);
  });
});

describe('filterRows', () => {
  const view = readView(new URLSearchParams());

  it('combines its filters', () => {
    expect(
      names(
        filterRows(rows, {
          ...view,
          businessModel: 'domain:default/payments',
          text: 'TRANS wallet',
        }),
      ),
    ).toEqual(['wallet-top-up']);
  });

  it('counts states before the state filter', () => {
    const filtered = { ...view, states: ['stale' as const] };
    expect(names(filterRows(rows, filtered))).toEqual(['merchant-settlement']);
    expect(
      countStates(filterRows(rows, filtered, { ignoreStates: true })),
    ).toMatchObject({ stale: 1, healthy: 1, exhausted: 1 });
  });
});
