export { scaffolderModuleRocket as default } from './module';
