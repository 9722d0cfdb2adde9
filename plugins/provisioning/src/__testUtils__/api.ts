import type { ProvisioningApi } from '../api/ProvisioningApi';

/** A backend whose every call a test must set up. */
export function mockProvisioningApi(): jest.Mocked<ProvisioningApi> {
  const unexpected = (name: string) =>
    jest.fn().mockRejectedValue(new Error(`unexpected call of ${name}`));
  return {
    checkName: unexpected('checkName'),
    getService: unexpected('getService'),
    operate: unexpected('operate'),
    getLog: unexpected('getLog'),
    getRepository: unexpected('getRepository'),
    createGitToken: unexpected('createGitToken'),
    listEffects: unexpected('listEffects'),
    listEffectEvents: unexpected('listEffectEvents'),
    observeEffect: unexpected('observeEffect'),
    plan: unexpected('plan'),
    startOperation: unexpected('startOperation'),
    listOperations: unexpected('listOperations'),
    getOperation: unexpected('getOperation'),
    decideOperation: unexpected('decideOperation'),
    cancelOperation: unexpected('cancelOperation'),
    retryOperation: unexpected('retryOperation'),
    listVersions: unexpected('listVersions'),
    listEnvironments: unexpected('listEnvironments'),
    extendEnvironment: unexpected('extendEnvironment'),
  } as unknown as jest.Mocked<ProvisioningApi>;
}
