export * from './provisioningService';
