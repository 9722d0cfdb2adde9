import fc from 'fast-check';
import { parseToObject } from 'hcl2-parser';
import { IntentReader } from '../intents';
import { hclName, hclString } from './hcl';
import { toTerraform } from './terraform';

/** HashiCorp's own parser. */
function parse(text: string): any {
  const [parsed, error] = parseToObject(text);
  if (!parsed) throw new Error(`not HCL: ${JSON.stringify(error)}`);
  return parsed;
}

const intents = new IntentReader({
  objectives: [
    { sli: 'availability', target: 99.9, windowDays: 28 },
    { sli: 'latency', target: 99, windowDays: 28, thresholdMs: 300 },
  ],
  thresholds: {
    errorRatePercent: 5,
    latencyMs: 1000,
    noTrafficMinutes: 10,
    minimumRequests: 20,
  },
});
const effect = (type: string, intent: object = {}) => ({
  type,
  reference: 'wallets',
  subject: 'component:default/wallets',
  intent: { appName: 'wallets', ...intent },
});
const ALL = [
  effect('newrelic.alert-policy', { runbookUrl: 'https://example.com/a' }),
  effect('newrelic.service-levels'),
  effect('newrelic.dashboard'),
  effect('newrelic.tags', { tags: { team: 'payments', owner: 'x' } }),
];
const write = (effects: any[] = ALL) =>
  toTerraform(effects, { intents, accountId: () => 42 });

describe('the export as Terraform', () => {
  it('has what Rocket makes, in the words of the provider', () => {
    const { resource, data, terraform } = parse(write());
    expect(terraform[0].required_providers[0].newrelic).toMatchObject({
      source: 'newrelic/newrelic',
    });
    expect(resource.newrelic_alert_policy).toEqual({
      wallets: [
        {
          account_id: 42,
          name: 'wallets (Rocket)',
          incident_preference: 'PER_CONDITION',
        },
      ],
    });
    expect(Object.keys(resource.newrelic_nrql_alert_condition)).toEqual([
      'wallets_error_rate',
      'wallets_fast_burn_availability_99_9_over_28_days',
      'wallets_fast_burn_latency_99_within_300_ms_over_28_days',
      'wallets_latency',
      'wallets_no_traffic',
      'wallets_slow_burn_availability_99_9_over_28_days',
      'wallets_slow_burn_latency_99_within_300_ms_over_28_days',
    ]);
    expect(
      resource.newrelic_nrql_alert_condition
        .wallets_fast_burn_availability_99_9_over_28_days,
    ).toEqual([
      {
        account_id: 42,
        // eslint-disable-next-line no-template-curly-in-string
        policy_id: '${newrelic_alert_policy.wallets.id}',
        type: 'static',
        name: 'Fast burn: availability 99.9 % over 28 days',
        description: expect.stringMatching(/^Made by Rocket for component:/),
        runbook_url: 'https://example.com/a',
        enabled: true,
        violation_time_limit_seconds: 259_200,
        aggregation_window: 3600,
        aggregation_method: 'event_flow',
        aggregation_delay: 120,
        fill_option: 'none',
        slide_by: 60,
        nrql: [{ query: expect.stringContaining('clamp_min(count(*), 373)') }],
        critical: [
          {
            operator: 'above_or_equals',
            threshold: 1.344,
            threshold_duration: 3600,
            threshold_occurrences: 'at_least_once',
          },
        ],
      },
    ]);
    expect(
      resource.newrelic_nrql_alert_condition.wallets_no_traffic[0],
    ).toMatchObject({
      expiration_duration: 600,
      open_violation_on_expiration: true,
    });
    // One look for the application, however much belongs to it.
    expect(data.newrelic_entity).toEqual({
      wallets_application: [
        {
          account_id: 42,
          name: 'wallets',
          type: 'APPLICATION',
          domain: 'APM',
        },
      ],
    });
    const [level] =
      resource.newrelic_service_level.wallets_availability_over_28_days;
    expect(level).toMatchObject({
      // eslint-disable-next-line no-template-curly-in-string
      guid: '${data.newrelic_entity.wallets_application.guid}',
      events: [
        {
          account_id: 42,
          valid_events: [{ from: 'Transaction' }],
          good_events: [{ from: 'Transaction' }],
        },
      ],
      objective: [
        {
          target: 99.9,
          time_window: [{ rolling: [{ count: 28, unit: 'DAY' }] }],
        },
      ],
    });
    const [{ json }] = resource.newrelic_one_dashboard_json.wallets_dashboard;
    expect(JSON.parse(json)).toMatchObject({
      name: 'wallets (Rocket)',
      pages: [{ name: 'Golden signals' }],
    });
    expect(resource.newrelic_entity_tags.wallets_tags).toEqual([
      {
        // eslint-disable-next-line no-template-curly-in-string
        guid: '${data.newrelic_entity.wallets_application.guid}',
        tag: [
          { key: 'team', values: ['payments'] },
          { key: 'owner', values: ['x'] },
        ],
      },
    ]);
  });

  it('holds no key, and is the same each time', () => {
    expect(write()).toBe(write());
    expect(write()).not.toMatch(/NRAK|api_key/);
  });

  it('begins as it was last looked at', () => {
    expect(write([ALL[3]])).toMatchInlineSnapshot(`
      "# What Rocket makes in New Relic for component:default/wallets.
      # The provider needs NEW_RELIC_API_KEY; newrelic_entity is there after the first telemetry.

      terraform {
        required_providers {
          newrelic = { source = "newrelic/newrelic", version = "~> 3.60" }
        }
      }

      data "newrelic_entity" "wallets_application" {
        account_id = 42
        name       = "wallets"
        type       = "APPLICATION"
        domain     = "APM"
      }

      resource "newrelic_entity_tags" "wallets_tags" {
        guid = data.newrelic_entity.wallets_application.guid

        tag {
          key    = "team"
          values = ["payments"]
        }

        tag {
          key    = "owner"
          values = ["x"]
        }
      }
      "
    `);
  });

  it('keeps apart what would have one name', () => {
    const { resource } = parse(
      write([
        effect('newrelic.alert-policy'),
        { ...effect('newrelic.alert-policy'), reference: 'wallets in staging' },
        { ...effect('newrelic.alert-policy'), reference: 'wallets-in-staging' },
      ]),
    );
    expect(Object.keys(resource.newrelic_alert_policy).sort()).toEqual([
      'wallets',
      'wallets_in_staging',
      'wallets_in_staging_2',
    ]);
  });

  it('cannot be broken out of by a name', () => {
    const appName = `"} resource "x" "y" { a = "\${file("/etc/passwd")}" %{ if true } \\`;
    const { resource, data } = parse(
      write([
        effect('newrelic.alert-policy', { appName }),
        effect('newrelic.tags', {
          appName,
          tags: { team: appName.replaceAll(':', '') },
        }),
      ]),
    );
    expect(Object.keys(resource)).toEqual([
      'newrelic_alert_policy',
      'newrelic_entity_tags',
      'newrelic_nrql_alert_condition',
    ]);
    const [entity] = Object.values<any>(data.newrelic_entity);
    expect(entity[0].name).toBe(appName);
  });
});

describe('HCL', () => {
  it('gives every string back as it was', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string({ unit: 'grapheme-composite', maxLength: 20 }),
            fc.constantFrom(
              '"',
              '\\',
              '${',
              '%{',
              '$${',
              '$',
              '%',
              '\n',
              '\t',
              '\u0000',
              '\u2028',
              '}',
              "'",
            ),
          ),
          { maxLength: 8 },
        ),
        parts => {
          const text = parts.join('').normalize('NFC');
          expect(parse(`a = ${hclString(text)}\n`).a).toBe(text);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('makes names that HCL takes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        expect(hclName(text)).toMatch(/^[a-z][a-z0-9_]*$/);
      }),
    );
  });
});
