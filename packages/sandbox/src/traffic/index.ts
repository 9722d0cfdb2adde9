export {
  loadScenario,
  parseScenario,
  ScenarioError,
  type TrafficScenario,
} from './scenario';
export {
  startTraffic,
  type RunningTraffic,
  type TrafficHistory,
  type TrafficOptions,
  type TrafficStore,
} from './startTraffic';
export {
  TrafficModel,
  type TrafficMarker,
  type TrafficRequest,
  type TrafficStream,
} from './TrafficModel';
