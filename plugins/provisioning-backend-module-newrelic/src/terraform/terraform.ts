import type { Effect } from '@rocket/plugin-provisioning-common';
import { type Condition, desiredConditions } from '../desired/conditions';
import { desiredDashboard } from '../desired/dashboard';
import { desiredServiceLevels } from '../desired/serviceLevels';
import type { IntentReader } from '../intents';
import { markOf, nameOf } from '../mark';
import { INCIDENT_PREFERENCE } from '../nerdgraph/alerts';
import { type Block, Expression, hclName, writeHcl } from './hcl';

type Exported = Pick<
  Effect,
  'type' | 'reference' | 'subject' | 'environment' | 'intent'
>;

/** Version of the provider that the arguments were written for. */
const PROVIDER = '~> 3.60';

const lower = (word: string) => word.toLowerCase();

function conditionBlock(
  condition: Condition,
  policy: string,
  label: string,
  accountId: number,
): Block {
  const { signal, expiration, terms } = condition;
  return {
    type: 'resource',
    labels: ['newrelic_nrql_alert_condition', label],
    attributes: {
      account_id: accountId,
      policy_id: new Expression(`newrelic_alert_policy.${policy}.id`),
      type: 'static',
      name: condition.name,
      description: condition.description,
      runbook_url: condition.runbookUrl,
      enabled: condition.enabled,
      violation_time_limit_seconds: condition.violationTimeLimitSeconds,
      aggregation_window: signal.aggregationWindow,
      aggregation_method: lower(signal.aggregationMethod),
      aggregation_delay: signal.aggregationDelay,
      fill_option: lower(signal.fillOption),
      slide_by: signal.slideBy,
      ...(expiration.expirationDuration === null
        ? {}
        : {
            expiration_duration: expiration.expirationDuration,
            open_violation_on_expiration: expiration.openViolationOnExpiration,
            close_violations_on_expiration:
              expiration.closeViolationsOnExpiration,
          }),
    },
    blocks: [
      { type: 'nrql', attributes: { query: condition.nrql.query } },
      ...terms.map(term => ({
        type: lower(term.priority),
        attributes: {
          operator: lower(term.operator),
          threshold: term.threshold,
          threshold_duration: term.thresholdDuration,
          threshold_occurrences: lower(term.thresholdOccurrences),
        },
      })),
    ],
  };
}

/**
 * What Rocket makes in New Relic for a component, as HCL of the `newrelic`
 * provider: the intents of its effects, not what is found. It holds no key.
 */
export function toTerraform(
  effects: Exported[],
  options: {
    intents: IntentReader;
    /** Number of an account by its alias. */
    accountId: (account: string | undefined) => number;
  },
): string {
  const { intents, accountId } = options;
  const used = new Set<string>();
  const label = (...words: string[]) => {
    const base = hclName(words.join(' '));
    let name = base;
    for (let i = 2; used.has(name); i++) name = `${base}_${i}`;
    used.add(name);
    return name;
  };
  const entities = new Map<string, string>();
  const blocks: Block[] = [];
  const entityOf = (account: number, appName: string): string => {
    const key = `${account} ${appName}`;
    const known = entities.get(key);
    if (known) return known;
    const name = label(appName, 'application');
    entities.set(key, name);
    blocks.push({
      type: 'data',
      labels: ['newrelic_entity', name],
      attributes: {
        account_id: account,
        name: appName,
        type: 'APPLICATION',
        domain: 'APM',
      },
    });
    return name;
  };

  for (const effect of effects) {
    const mark = markOf(effect);
    const { reference } = effect;
    if (effect.type === 'newrelic.alert-policy') {
      const intent = intents.alertPolicy(effect.intent);
      const account = accountId(intent.account);
      const policy = label(reference);
      blocks.push({
        type: 'resource',
        labels: ['newrelic_alert_policy', policy],
        attributes: {
          account_id: account,
          name: nameOf(effect),
          incident_preference: INCIDENT_PREFERENCE,
        },
      });
      for (const condition of desiredConditions(intent, mark)) {
        blocks.push(
          conditionBlock(
            condition,
            policy,
            label(reference, condition.name),
            account,
          ),
        );
      }
    } else if (effect.type === 'newrelic.service-levels') {
      const intent = intents.serviceLevels(effect.intent);
      const account = accountId(intent.account);
      const entity = entityOf(account, intent.appName);
      for (const level of desiredServiceLevels(intent, mark)) {
        const [objective] = level.objectives;
        blocks.push({
          type: 'resource',
          labels: ['newrelic_service_level', label(reference, level.name)],
          attributes: {
            guid: new Expression(`data.newrelic_entity.${entity}.guid`),
            name: level.name,
            description: level.description,
          },
          blocks: [
            {
              type: 'events',
              attributes: { account_id: account },
              blocks: [
                { type: 'valid_events', attributes: level.events.validEvents },
                { type: 'good_events', attributes: level.events.goodEvents },
              ],
            },
            {
              type: 'objective',
              attributes: { target: objective.target },
              blocks: [
                {
                  type: 'time_window',
                  blocks: [
                    {
                      type: 'rolling',
                      attributes: { ...objective.timeWindow.rolling },
                    },
                  ],
                },
              ],
            },
          ],
        });
      }
    } else if (effect.type === 'newrelic.dashboard') {
      const intent = intents.dashboard(effect.intent);
      const account = accountId(intent.account);
      blocks.push({
        type: 'resource',
        labels: ['newrelic_one_dashboard_json', label(reference, 'dashboard')],
        attributes: {
          account_id: account,
          json: JSON.stringify(
            desiredDashboard(intent, {
              name: nameOf(effect),
              mark,
              accountId: account,
            }),
          ),
        },
      });
    } else if (effect.type === 'newrelic.tags') {
      const intent = intents.tags(effect.intent);
      const entity = entityOf(accountId(intent.account), intent.appName);
      blocks.push({
        type: 'resource',
        labels: ['newrelic_entity_tags', label(reference, 'tags')],
        attributes: {
          guid: new Expression(`data.newrelic_entity.${entity}.guid`),
        },
        blocks: Object.entries(intent.tags).map(([key, value]) => ({
          type: 'tag',
          attributes: { key, values: [value] },
        })),
      });
    }
  }
  const [first] = effects;
  return writeHcl(
    `What Rocket makes in New Relic for ${
      first?.subject ?? 'nothing'
    }.\nThe provider needs NEW_RELIC_API_KEY; newrelic_entity is there after the first telemetry.`,
    [
      {
        type: 'terraform',
        blocks: [
          {
            type: 'required_providers',
            attributes: {
              newrelic: new Expression(
                `{ source = "newrelic/newrelic", version = "${PROVIDER}" }`,
              ),
            },
          },
        ],
      },
      ...blocks,
    ],
  );
}
