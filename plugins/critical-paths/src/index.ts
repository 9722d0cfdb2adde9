export { criticalPathsPlugin as default } from './plugin';
export {
  criticalPathsApiRef,
  type CriticalPathsApi,
  type ReadOptions,
} from './api/CriticalPathsApi';
