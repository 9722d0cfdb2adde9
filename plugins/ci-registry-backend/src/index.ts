export { ciRegistryPlugin as default } from './plugin';
