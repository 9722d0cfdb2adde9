export { catalogModuleCiRegistry as default } from './module';
