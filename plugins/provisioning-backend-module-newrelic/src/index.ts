export { provisioningModuleNewRelic as default } from './module';
