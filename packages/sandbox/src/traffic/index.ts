export {
  loadScenario,
  parseScenario,
  ScenarioError,
  type TrafficScenario,
} from './scenario';
export type {
  RunningTraffic,
  TrafficHistory,
  TrafficOptions,
  TrafficStore,
} from './Player';
export { startTraffic } from './startTraffic';
export {
  TrafficModel,
  type TrafficRequest,
  type TrafficStream,
} from './TrafficModel';
export type { TrafficMarker } from './ScenarioEvents';
