export { criticalPathsPlugin as default } from './plugin';
export {
  criticalPathsApiRef,
  type CriticalPathsApi,
} from './api/CriticalPathsApi';
