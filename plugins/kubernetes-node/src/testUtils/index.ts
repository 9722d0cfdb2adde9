export {
  clusterConfig,
  connect,
  describeOnCluster,
  realCluster,
  type TestCluster,
} from './clusters';
export {
  clientContract,
  type Ability,
  type ContractSubject,
} from './clientContract';
export { cuttableProxy } from './cuttableProxy';
export {
  FakeApiServer,
  faults,
  type Fault,
  type FaultRule,
  type SeenRequest,
} from './FakeApiServer';
export { KubeletSimulator, type PodBehaviour } from './KubeletSimulator';
