import { mockServices } from '@backstage/backend-test-utils';
import { readCiRegistryConfig } from './config';

const read = (ciRegistry: object) =>
  readCiRegistryConfig(
    mockServices.rootConfig({ data: { ciRegistry } as any }),
  );

it('has defaults for everything', () => {
  expect(read({})).toEqual({
    allowedKinds: ['Component', 'API', 'Resource', 'System'],
    reservedNamespaces: ['backstage', 'rocket'],
    requiredAnnotations: [],
    checks: { owner: 'warning', relations: 'warning', criticalPath: 'error' },
    maxEntities: 500,
    maxBodyBytes: 5_242_880,
    pushesPerMinute: 120,
    graceMs: 86_400_000,
    retentionMs: 365 * 86_400_000,
  });
});

it.each([
  [{ allowedKinds: ['location'] }, /allowedKinds must not hold location/],
  [{ maxEntities: 0 }, /maxEntities must be a whole number of at least 1/],
  [{ checks: { owner: 'maybe' } }, /checks\.owner must be one of error/],
  [{ historyRetentionDays: 1.5 }, /historyRetentionDays/],
  [{ goneGraceTime: 'soon' }, /goneGraceTime/],
  [{ requiredAnnotations: [{ kinds: ['API'] }] }, /annotation/],
])('refuses %j', (config, message) => {
  expect(() => read(config)).toThrow(message);
});

it('reads durations in words and in fields', () => {
  expect(read({ goneGraceTime: { minutes: 5 } }).graceMs).toBe(300_000);
  expect(read({ goneGraceTime: '1h' }).graceMs).toBe(3_600_000);
});
