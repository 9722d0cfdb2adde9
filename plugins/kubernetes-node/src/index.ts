export * from './types';
export {
  KubernetesError,
  KubernetesFieldConflictError,
  type FieldConflict,
  type FieldProblem,
  type KubernetesErrorKind,
} from './errors';
export { kubernetesServiceRef } from './serviceRef';
