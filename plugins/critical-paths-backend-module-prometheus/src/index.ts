export { criticalPathsModulePrometheus as default } from './module';
