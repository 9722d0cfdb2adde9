export * from './ciRegistryService';
export { HttpCiRegistryService } from './HttpCiRegistryService';
