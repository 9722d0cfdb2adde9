export * from './ciRegistryService';
export { HttpCiRegistryService } from './HttpCiRegistryService';
export * from './readinessService';
export * from './runningComponents';
