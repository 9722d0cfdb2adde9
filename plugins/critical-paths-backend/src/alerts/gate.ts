import type {
  GateReason,
  GateResponse,
} from '@rocket/plugin-critical-paths-common';
import { observedRules } from './AlertService';
import type { PathBudget } from '../service/BudgetService';
import type { ExhaustedPolicy } from './settings';

/** What the gate is told about one path of the component. */
export interface GatePath {
  budget: PathBudget;
  maintenance: boolean;
  /** Why nobody can see how the path is; undefined when it can be seen. */
  unseen?: string;
}

const RANK = { block: 0, warn: 1, allow: 2 };

/**
 * Whether a deployment of a component should go on, from the paths that it
 * serves. `block`: budget burns fast, or is spent (`criticalPaths.gate.exhausted`
 * may make that a warning). `warn`: budget burns slowly, less than a quarter is
 * left, the path cannot be seen, or nobody knows the component. `allow`
 * otherwise; also during planned downtime, and for a component on no path. The
 * worst reason decides.
 */
export function judgeGate(
  entityRef: string,
  paths: GatePath[],
  policy: { exhausted: ExhaustedPolicy },
  now: Date,
  /** Whether the catalog has it; asked for what is on no path. */
  known: boolean = true,
): GateResponse {
  const reasons = paths.flatMap(path => reasonsOf(path, policy));
  if (paths.length === 0 && !known) {
    reasons.push({
      effect: 'warn',
      rule: 'membership',
      message: `The catalog has no ${entityRef}, so nobody knows which critical paths it is on. Register it, or mend the name.`,
    });
  } else if (paths.length === 0) {
    reasons.push({
      effect: 'allow',
      rule: 'membership',
      message: `${entityRef} is on no critical path.`,
    });
  }
  reasons.sort((a, b) => RANK[a.effect] - RANK[b.effect]);
  return {
    entityRef,
    decision: reasons[0].effect,
    reasons,
    generatedAt: now.toISOString(),
  };
}

function reasonsOf(
  { budget, maintenance, unseen }: GatePath,
  policy: { exhausted: ExhaustedPolicy },
): GateReason[] {
  const { title, entityRef: pathRef } = budget.resolved.path;
  const reason = (
    effect: GateReason['effect'],
    rule: string,
    message: string,
  ): GateReason => ({ effect, rule, message: `${title}: ${message}`, pathRef });
  if (maintenance) {
    return [reason('allow', 'maintenance', 'planned downtime is going on.')];
  }
  const reasons = observedRules(budget)
    .filter(rule => rule.status === 'firing')
    .map(rule =>
      reason(
        rule.severity === 'page' ? 'block' : 'warn',
        'burn-rate',
        rule.message ?? rule.key,
      ),
    );
  for (const { budget: left, label } of budget.budgets) {
    if (left && left.remaining <= 0) {
      reasons.push(
        reason(
          policy.exhausted,
          'budget',
          `the error budget is spent: ${label}.`,
        ),
      );
    } else if (left && left.remaining < 0.25) {
      reasons.push(
        reason(
          'warn',
          'budget',
          `${Math.round(
            left.remaining * 100,
          )} % of the error budget is left: ${label}.`,
        ),
      );
    }
  }
  if (unseen !== undefined) {
    reasons.push(reason('warn', 'telemetry', unseen));
  }
  return reasons.length > 0
    ? reasons
    : [reason('allow', 'budget', 'its error budget is in order.')];
}
