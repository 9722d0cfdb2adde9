import type {
  ChangeMarker,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';

/** The error budgets of a path in words and figures. */
export interface BurnExplanation {
  /** Sentences for people, the most important first. */
  summary: string[];
  budgets: Record<string, unknown>[];
  attribution: Record<string, unknown>;
  /** Those that cost something, the dearest first. */
  deployments: Record<string, unknown>[];
}

const percent = (share: number) => `${Number((share * 100).toFixed(2))} %`;
const count = (events: number) => Number(events.toFixed(1));

function costOf({ burn }: ChangeMarker): number {
  return burn?.excessEvents ?? 0;
}

/** Puts the burn of a path's error budgets into words; every figure is one of the path's page. */
export function explainBurn(path: PathDetail): BurnExplanation {
  const { attribution } = path;
  const budgets = path.budgets.map(({ label, budget, burn, rules, alert }) => ({
    objective: label,
    remaining: budget?.remaining ?? null,
    remainingEvents: budget ? count(budget.remainingEvents) : null,
    allowedEvents: budget ? count(budget.allowedEvents) : null,
    burnRates: Object.fromEntries(burn.map(b => [b.window, b.rate])),
    firing: rules.filter(r => r.status === 'firing').map(r => r.name),
    alert,
  }));
  const deployments = path.changes
    .filter(change => change.kind === 'deployment' && costOf(change) > 0)
    .sort((a, b) => costOf(b) - costOf(a));
  const summary = [
    `${path.title} is ${path.state}${
      path.stateReasons.length > 0 ? `: ${path.stateReasons.join('; ')}` : ''
    }.`,
  ];
  for (const { objective, remaining, alert, firing } of budgets) {
    if (remaining === null) {
      summary.push(`Nothing was measured to judge ${objective}.`);
    } else {
      summary.push(
        `${percent(remaining)} of the error budget of ${objective} is left${
          alert
            ? `; the ${firing.join(' and ')} burn rule fires (${alert})`
            : ''
        }.`,
      );
    }
  }
  if (budgets.length === 0) {
    summary.push('It has no objective with an error budget.');
  }
  if (attribution.badEvents > 0) {
    const blamed = attribution.rows.filter(row => row.ownEvents > 0);
    summary.push(
      `${count(attribution.badEvents)} bad events from ${attribution.from} to ${
        attribution.to
      }: ${[
        ...blamed
          .slice(0, 3)
          .map(
            row =>
              `${row.title} by its own fault ${percent(
                row.sharePercent / 100,
              )}`,
          ),
        `unknown ${percent(attribution.unknownPercent / 100)}`,
      ].join(', ')}.`,
    );
  } else {
    summary.push(
      `No bad event was seen from ${attribution.from} to ${attribution.to}.`,
    );
  }
  const [dearest] = deployments;
  if (dearest?.burn) {
    const { minutes, excessEvents, budgetPercent } = dearest.burn;
    summary.push(
      `In the ${minutes} minutes after ${dearest.title} (${
        dearest.at
      }) there were ${count(excessEvents)} bad events more than before${
        budgetPercent === null
          ? ''
          : `, ${Number(budgetPercent.toFixed(2))} % of the budget`
      }.`,
    );
  }
  return {
    summary,
    budgets,
    attribution: {
      from: attribution.from,
      to: attribution.to,
      badEvents: count(attribution.badEvents),
      unknownPercent: attribution.unknownPercent,
      applications: attribution.rows.map(row => ({
        entityRef: row.entityRef,
        steps: row.steps,
        ownEvents: count(row.ownEvents),
        sharePercent: row.sharePercent,
        budgetPercent: row.budgetPercent,
        upstreamEvents: count(row.upstreamEvents),
      })),
    },
    deployments: deployments.map(({ entityRef, title, at, burn }) => ({
      entityRef,
      title,
      at,
      minutes: burn!.minutes,
      complete: burn!.complete,
      excessEvents: count(burn!.excessEvents),
      budgetPercent: burn!.budgetPercent,
    })),
  };
}
