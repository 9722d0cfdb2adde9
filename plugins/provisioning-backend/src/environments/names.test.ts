import { mockServices } from '@backstage/backend-test-utils';
import fc from 'fast-check';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import { environmentName, environmentServiceName, toLabel } from './names';
import { readEnvironmentSettings } from './settings';

describe('names', () => {
  it('makes labels of branches and pull requests', () => {
    expect(environmentName('pull/31/new-limits', 'pay-api')).toBe(
      'pr-31-new-limits',
    );
    expect(environmentName('refs/pull/31/head', 'pay-api')).toBe(
      'pr-31-pay-api',
    );
    expect(environmentName('limits', 'pay-api')).toBe('limits-pay-api');
    expect(environmentName('feature/New_Limits', 'pay-api')).toMatch(
      /^feature-new-limits-pay-api-[0-9a-f]{6}$/,
    );
    expect(environmentServiceName('pay-api', 'pr-31')).toBe('pay-api-pr-31');
  });

  it('always makes a DNS label that works as a service name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const label = toLabel(text);
        expect(label).toMatch(SERVICE_NAME_PATTERN);
        expect(label.length).toBeLessThanOrEqual(63);
        expect(toLabel(text)).toBe(label);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps long and odd names apart', () => {
    const long = 'a'.repeat(80);
    const labels = [
      `${long}1`,
      `${long}2`,
      'Fix/A',
      'fix/a',
      'fix.a',
      'fix-a',
    ].map(text => toLabel(text));
    expect(new Set(labels).size).toBe(labels.length);
  });
});

describe('settings', () => {
  const read = (provisioning: object) =>
    readEnvironmentSettings(
      mockServices.rootConfig({ data: { provisioning } as never }),
    );

  it('has one environment when none is named, and the defaults for those on demand', () => {
    const { configured, onDemand } = read({});
    expect([...configured.keys()]).toEqual(['local']);
    expect(onDemand).toMatchObject({
      ttlMs: 72 * 3_600_000,
      maxTtlMs: 14 * 24 * 3_600_000,
      extensions: 2,
      quotaPerOwner: 5,
      runtime: 'local',
    });
  });

  it('reads approval with its groups', () => {
    const { configured } = read({
      environments: {
        production: {
          tier: 'production',
          runtime: 'kubernetes',
          approval: { required: true, approvers: ['release'] },
          kubernetes: { cluster: 'eu', namespace: 'pay' },
        },
      },
    });
    expect(configured.get('production')).toMatchObject({
      approval: {
        approvers: ['group:default/release'],
        expiryMs: 24 * 3_600_000,
      },
      settings: { cluster: 'eu', namespace: 'pay' },
    });
  });

  it.each([
    [
      { environments: { prod: { approval: { required: true } } } },
      /approvers: must name at least one group/,
    ],
    [{ environments: { Prod_1: {} } }, /DNS label/],
    [
      { environments: { prod: { tier: 'live' } } },
      /prod\.tier: must be one of/,
    ],
    [
      {
        environments: {
          local: { approval: { required: true, approvers: ['release'] } },
        },
      },
      /environments\.local\.approval/,
    ],
    [{ onDemand: { ttl: '20 days' } }, /maxTtl: must not be shorter/],
    [{ onDemand: { quotaPerOwner: 1.5 } }, /quotaPerOwner: must be a whole/],
    [{ onDemand: { costPerDay: -1 } }, /costPerDay/],
  ])('refuses %j', (provisioning, message) => {
    expect(() => read(provisioning)).toThrow(message);
  });
});
