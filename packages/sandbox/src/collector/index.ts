export { collectorTls, type CollectorTls } from './certificates';
export {
  startCollector,
  type CollectorOptions,
  type RunningCollector,
} from './startCollector';
