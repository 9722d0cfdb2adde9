import type { SortKey } from '../../lib/boardView';
import { FIGURES, type Figure } from '../../lib/figures';

/** A column of the board. */
export interface BoardColumn {
  id: string;
  /** What it can be sorted by; the first is the column's own. */
  sorts: { key: SortKey; label: string }[];
  hint?: string;
  figure?: Figure;
}

/** The columns of the board, in order. */
export const BOARD_COLUMNS: BoardColumn[] = [
  {
    id: 'path',
    sorts: [{ key: 'path', label: 'Critical path' }],
    hint: 'type · lifecycle',
  },
  {
    id: 'business',
    sorts: [
      { key: 'businessModel', label: 'Business model' },
      { key: 'owner', label: 'Owner' },
    ],
  },
  {
    id: 'state',
    sorts: [{ key: 'state', label: 'State' }],
    hint: 'against its objectives',
  },
  {
    id: 'availability',
    sorts: [{ key: 'availability', label: FIGURES.availability.label }],
    hint: 'good ÷ valid',
    figure: 'availability',
  },
  {
    id: 'budget',
    sorts: [{ key: 'budget', label: 'Error budget' }],
    hint: 'the smallest left',
  },
  {
    id: 'throughput',
    sorts: [{ key: 'throughput', label: FIGURES.throughput.label }],
    hint: 'valid requests',
    figure: 'throughput',
  },
  {
    id: 'errorRate',
    sorts: [{ key: 'errorRate', label: FIGURES.errorRate.label }],
    hint: 'failed ÷ valid',
    figure: 'errorRate',
  },
  {
    id: 'latency',
    sorts: [{ key: 'latency', label: FIGURES.latency.label }],
    hint: 'p95 / p99',
    figure: 'latency',
  },
  {
    id: 'age',
    sorts: [{ key: 'age', label: 'Data' }],
    hint: 'age',
  },
];

/** Every way to sort, for the menu that stands in for headings on small screens. */
export const SORT_OPTIONS = BOARD_COLUMNS.flatMap(column => column.sorts);
