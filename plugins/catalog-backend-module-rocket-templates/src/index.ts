export { catalogModuleRocketTemplates as default } from './module';
export { FETCH_BASE_ANNOTATION, fetchBase } from './fetchBase';
