import type { SignalBoardRow } from '@rocket/plugin-critical-paths-common';
import { changeOf, groupByModel, sortSignalRows } from './signalBoard';

const row = (over: Partial<SignalBoardRow>) =>
  ({
    title: 'A',
    state: 'healthy',
    businessModel: 'domain:default/a',
    value: null,
    previous: null,
    ...over,
  } as SignalBoardRow);

describe('changeOf', () => {
  it.each([
    ['uptime', 99.9, 99.95, '-0.05 points', 'worse'],
    ['uptime', 99.95, 99.9, '+0.05 points', 'better'],
    ['error-rate', 0.5, 0.25, '+0.25 points', 'worse'],
    ['latency', 150, 100, '+50 %', 'worse'],
    ['latency', 80, 100, '-20 %', 'better'],
    ['throughput', 200, 100, '+100 %', 'neutral'],
  ] as const)('%s from %d to %d', (signal, value, previous, text, verdict) => {
    expect(changeOf(signal, value, previous)).toMatchObject({ text, verdict });
  });

  it('says nothing where there is nothing to compare', () => {
    expect(changeOf('uptime', null, 99)).toBeNull();
    expect(changeOf('uptime', 99, null)).toBeNull();
    expect(changeOf('throughput', 5, 0)).toBeNull();
    expect(changeOf('error-rate', 5, 0)).toMatchObject({ verdict: 'worse' });
  });

  it('calls a difference that cannot be seen none', () => {
    expect(changeOf('uptime', 99.9001, 99.9)).toMatchObject({
      direction: 'same',
      verdict: 'neutral',
    });
  });
});

describe('sortSignalRows', () => {
  const rows = [
    row({ title: 'good', value: 99.99, previous: 99.9 }),
    row({ title: 'none' }),
    row({ title: 'bad', value: 98, previous: 99 }),
    row({ title: 'spent', value: 99.5, previous: 99.5, state: 'exhausted' }),
  ];
  const titles = (
    key: 'worst' | 'path' | 'value' | 'change',
    descending = false,
  ) => sortSignalRows(rows, 'uptime', { key, descending }).map(r => r.title);

  it('puts the worst state first, then the worst value, and no data last', () => {
    expect(titles('worst')).toEqual(['spent', 'bad', 'good', 'none']);
    expect(
      sortSignalRows(rows, 'latency', { key: 'worst', descending: false }).map(
        r => r.title,
      ),
    ).toEqual(['spent', 'good', 'bad', 'none']);
  });

  it('keeps rows without the figure at the end in both directions', () => {
    expect(titles('value')).toEqual(['bad', 'spent', 'good', 'none']);
    expect(titles('value', true)).toEqual(['good', 'spent', 'bad', 'none']);
    expect(titles('change')).toEqual(['bad', 'spent', 'good', 'none']);
    expect(titles('path', true)).toEqual(['spent', 'none', 'good', 'bad']);
  });
});

it('groups by business model, the one with the worst path first', () => {
  const groups = groupByModel([
    row({ title: '1', businessModel: 'domain:default/a' }),
    row({ title: '2', businessModel: 'domain:default/b', state: 'exhausted' }),
    row({ title: '3', businessModel: 'domain:default/a', state: 'at-risk' }),
  ]);
  expect(groups.map(g => [g.businessModel, g.rows.map(r => r.title)])).toEqual([
    ['domain:default/b', ['2']],
    ['domain:default/a', ['1', '3']],
  ]);
});
