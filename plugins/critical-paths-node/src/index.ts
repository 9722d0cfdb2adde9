export * from './telemetrySource';
export * from './criticalPathsService';
export { HttpCriticalPathsService } from './HttpCriticalPathsService';
export { criticalPathsServiceRef } from './criticalPathsServiceRef';
