export { criticalPathsModuleNewRelic as default } from './module';
