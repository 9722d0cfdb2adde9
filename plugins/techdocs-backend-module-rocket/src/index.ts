export { techdocsModuleRocket as default } from './module';
