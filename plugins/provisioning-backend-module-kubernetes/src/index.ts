export { provisioningModuleKubernetes as default } from './module';
