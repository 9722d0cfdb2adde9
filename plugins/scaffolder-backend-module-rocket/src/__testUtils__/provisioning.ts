import type { ProvisioningService } from '@rocket/plugin-provisioning-node';

/** A provisioning service that fails every call that a test did not expect. */
export function mockProvisioning(): jest.Mocked<ProvisioningService> {
  const unexpected = (name: string) =>
    jest.fn().mockRejectedValue(new Error(`unexpected call of ${name}`));
  return {
    checkName: unexpected('checkName'),
    createRepository: unexpected('createRepository'),
    createGitToken: unexpected('createGitToken'),
    deploy: unexpected('deploy'),
    getService: unexpected('getService'),
    getLog: unexpected('getLog'),
  } as unknown as jest.Mocked<ProvisioningService>;
}
