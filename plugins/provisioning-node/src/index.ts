export * from './provisioningService';
export { provisioningServiceRef } from './provisioningServiceRef';
export * from './runtime';
