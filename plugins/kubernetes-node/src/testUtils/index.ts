export {
  clusterConfig,
  connect,
  describeOnCluster,
  realCluster,
  type TestCluster,
} from './clusters';
export { clientContract, type Ability, type ContractSubject } from './contract';
export { cuttableProxy } from './cuttableProxy';
export { FakeApiServer, type SeenRequest } from './FakeApiServer';
export { faults, type Fault, type FaultRule } from './faults';
export { KubeletSimulator, type PodBehaviour } from './KubeletSimulator';
