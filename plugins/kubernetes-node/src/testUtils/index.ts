export {
  clusterConfig,
  connect,
  describeOnCluster,
  realCluster,
  type TestCluster,
} from './clusters';
export { KubeletSimulator, type PodBehaviour } from './KubeletSimulator';
