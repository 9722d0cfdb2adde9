import type {
  DoraResponse,
  FreshnessState,
} from '@rocket/plugin-ci-registry-common';
import { METRIC_NAMES, type Metric } from './dora';
import { FRESHNESS_STATES } from './looks';

/** What the page "Delivery" can show. */
export const VIEWS = ['metrics', 'freshness', 'decisions'] as const;
export type View = (typeof VIEWS)[number];

/** Lengths of the window in days. */
export const DAYS = [7, 28, 90] as const;

/** By what the metrics are summed up. */
export const GROUPINGS = ['team', 'path', 'component'] as const;

/** Everything about the page that its address says. */
export interface DeliveryView {
  view: View;
  by: DoraResponse['by'];
  environment: string;
  days: number;
  text: string;
  sort: { key: Metric | 'name'; descending: boolean };
  /** `mine`, an entity ref, or undefined for all. */
  owner?: string;
  states: FreshnessState[];
  /** Of the decisions only those that refused. */
  refused: boolean;
}

export const DEFAULT_ENVIRONMENT = 'production';
const DEFAULT_DAYS = 28;
const SORT_KEYS = ['name', ...METRIC_NAMES] as const;

/** Reads an address. What it cannot understand becomes the default. */
export function readView(params: URLSearchParams): DeliveryView {
  const wanted = params.get('sort') ?? '';
  const key = SORT_KEYS.find(known => known === wanted.replace(/^-/, ''));
  const states = (params.get('state') ?? '').split(',');
  return {
    view: VIEWS.find(known => known === params.get('view')) ?? 'metrics',
    by: GROUPINGS.find(known => known === params.get('by')) ?? 'team',
    environment:
      params.get('environment')?.slice(0, 100) || DEFAULT_ENVIRONMENT,
    days:
      DAYS.find(known => String(known) === params.get('days')) ?? DEFAULT_DAYS,
    text: params.get('q') ?? '',
    sort: { key: key ?? 'name', descending: wanted.startsWith('-') },
    owner: params.get('owner') || undefined,
    states: FRESHNESS_STATES.filter(state => states.includes(state)),
    refused: params.get('refused') === 'only',
  };
}

/** Writes a view into an address and leaves other parameters alone. */
export function writeView(
  params: URLSearchParams,
  view: DeliveryView,
): URLSearchParams {
  const next = new URLSearchParams(params);
  const set = (name: string, value: string | undefined, fallback = '') => {
    if (!value || value === fallback) {
      next.delete(name);
    } else {
      next.set(name, value);
    }
  };
  set('view', view.view, 'metrics');
  set('by', view.by, 'team');
  set('environment', view.environment, DEFAULT_ENVIRONMENT);
  set('days', String(view.days), String(DEFAULT_DAYS));
  set('q', view.text);
  set('sort', `${view.sort.descending ? '-' : ''}${view.sort.key}`, 'name');
  set('owner', view.owner);
  set('state', view.states.join(','));
  set('refused', view.refused ? 'only' : undefined);
  return next;
}
