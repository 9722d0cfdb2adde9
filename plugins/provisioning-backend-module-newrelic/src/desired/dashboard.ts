import { describeObjective } from '@rocket/plugin-critical-paths-common';
import type { DashboardIntent } from '../intents';
import { appWhere, goodWhere } from './conditions';

export interface Widget {
  title: string;
  /** In twelfths of the width. */
  layout: { column: number; row: number; width: number; height: number };
  visualization: { id: string };
  rawConfiguration: {
    nrqlQueries: { accountIds: number[]; query: string }[];
  };
}

/** A dashboard, as NerdGraph takes it. */
export interface Dashboard {
  name: string;
  description: string;
  permissions: 'PUBLIC_READ_ONLY';
  pages: { name: string; description: string; widgets: Widget[] }[];
}

const HEIGHT = 3;

/** The golden signals of a service, each objective, and its slowest and failing transactions. */
export function desiredDashboard(
  intent: DashboardIntent,
  options: { name: string; mark: string; accountId: number },
): Dashboard {
  const from = `FROM Transaction WHERE ${appWhere(intent.appName)}`;
  const share = (good: string) => `percentage(count(*), WHERE ${good})`;
  const availability = goodWhere({
    sli: 'availability',
    target: 99,
    windowDays: 28,
  });
  const widgets: Widget[] = [];
  let column = 1;
  let row = 1;
  const add = (title: string, viz: string, width: number, query: string) => {
    if (column + width > 13) {
      column = 1;
      row += HEIGHT;
    }
    widgets.push({
      title,
      layout: { column, row, width, height: HEIGHT },
      visualization: { id: viz },
      rawConfiguration: {
        nrqlQueries: [{ accountIds: [options.accountId], query }],
      },
    });
    column += width;
  };
  const series = 'SINCE 6 hours ago TIMESERIES AUTO';

  for (const objective of intent.objectives) {
    const days = `${objective.windowDays} day${
      objective.windowDays === 1 ? '' : 's'
    }`;
    add(
      `Objective: ${describeObjective(objective)}`,
      'viz.billboard',
      6,
      `SELECT ${share(
        goodWhere(objective),
      )} AS 'good %' ${from} SINCE ${days} ago`,
    );
  }
  add(
    'Requests per minute',
    'viz.line',
    6,
    `SELECT rate(count(*), 1 minute) AS 'requests' ${from} ${series}`,
  );
  add(
    'Availability',
    'viz.line',
    6,
    `SELECT ${share(availability)} AS 'good %' ${from} ${series}`,
  );
  add(
    'Latency in seconds',
    'viz.line',
    6,
    `SELECT percentile(duration, 50, 95, 99) AS 'percentile' ${from} ${series}`,
  );
  add(
    'Answers by status',
    'viz.area',
    6,
    `SELECT count(*) ${from} FACET http.statusCode ${series}`,
  );
  add(
    'Slowest transactions',
    'viz.table',
    6,
    `SELECT percentile(duration, 95) AS 'seconds', count(*) AS 'requests' ${from} FACET name SINCE 6 hours ago LIMIT 20`,
  );
  add(
    'Server errors by transaction',
    'viz.table',
    6,
    `SELECT filter(count(*), WHERE numeric(http.statusCode) >= 500) AS 'failed', count(*) AS 'requests' ${from} FACET name SINCE 6 hours ago LIMIT 20`,
  );
  return {
    name: options.name,
    description: `${options.mark}golden signals and objectives of ${intent.appName}.`,
    permissions: 'PUBLIC_READ_ONLY',
    pages: [
      {
        name: 'Golden signals',
        description: `What clients of ${intent.appName} see`,
        widgets,
      },
    ],
  };
}
