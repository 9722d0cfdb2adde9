export { catalogModuleCriticalPaths as default } from './module';
