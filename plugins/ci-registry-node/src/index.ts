export * from './ciRegistryService';
