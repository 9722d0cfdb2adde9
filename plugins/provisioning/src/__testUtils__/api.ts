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
  } as unknown as jest.Mocked<ProvisioningApi>;
}
