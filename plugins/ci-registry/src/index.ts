export { ciRegistryPlugin as default } from './plugin';
export { ciRegistryApiRef, type CiRegistryApi } from './api/CiRegistryApi';
