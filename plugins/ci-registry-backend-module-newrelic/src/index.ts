export { ciRegistryModuleNewRelic as default } from './module';
