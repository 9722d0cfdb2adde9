import { findProtectedPlaces, type Change } from './protectedPlaces';

const approval = { approvers: ['group:default/release'], expiryMs: 1 };
const protectedPlaces = findProtectedPlaces([
  { name: 'staging', settings: { cluster: 'eu-1', namespace: 'st-{service}' } },
  { name: 'production', approval, settings: { cluster: 'eu-1' } },
  {
    name: 'vault',
    approval,
    settings: { cluster: 'eu-2', namespace: '{environment}.{service}-x' },
  },
  { name: 'shared', approval, settings: { namespace: 'pay' } },
]);

const find = (change: Partial<Change>) =>
  protectedPlaces({
    type: 'kubernetes.workload',
    reference: 'x',
    subject: 'component:default/pay-api',
    intent: {},
    ...change,
  });
const at = (cluster: string, namespace: string) =>
  find({ intent: { cluster, namespace }, environment: 'staging' });

describe('places that wait for an approver', () => {
  it('are known by cluster and namespace', () => {
    expect(at('eu-1', 'pay-api-production')).toBe('production');
    expect(at('eu-1', 'st-pay-api')).toBeUndefined();
    expect(at('eu-1', 'production')).toBeUndefined();
    expect(at('eu-3', 'pay-api-production')).toBeUndefined();
    expect(at('eu-2', 'vault.pay-x')).toBe('vault');
    // A point stands for nothing but itself.
    expect(at('eu-2', 'vault-pay-x')).toBeUndefined();
    expect(at('eu-2', 'my-vault.pay-x')).toBeUndefined();
    // No cluster: nothing runs there.
    expect(at('eu-1', 'pay')).toBeUndefined();
  });

  it('are known by the names of services, also where a long one was cut', () => {
    const service = (reference: string, subject = 'component:default/other') =>
      find({ type: 'local.service', reference, subject });
    expect(service('pay-api-production')).toBe('production');
    expect(service('pay-api')).toBeUndefined();
    expect(service('production')).toBeUndefined();
    const long = `component:default/${'a'.repeat(60)}`;
    // 63 characters, the last 6 of the SHA-256 of the whole name.
    expect(service(`${'a'.repeat(56)}-6a165c`, long)).toBe('production');
    expect(service(`${'a'.repeat(56)}-000000`, long)).toBeUndefined();
    expect(find({ intent: { service: 'pay-api-vault' } })).toBe('vault');
    expect(
      find({ type: 'git.repository', reference: 'pay-api-production' }),
    ).toBeUndefined();
  });

  it('are those that somebody names', () => {
    expect(find({ environment: 'vault' })).toBe('vault');
    expect(find({ intent: { environment: 'vault' } })).toBe('vault');
    expect(find({ environment: 'staging' })).toBeUndefined();
  });
});
