export * from './provisioningService';
export { ProvisioningClient } from './ProvisioningClient';
export { provisioningServiceRef } from './provisioningServiceRef';
export * from './runtime';
export * from './effects';
