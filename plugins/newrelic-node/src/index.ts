export * from './types';
export {
  NewRelicError,
  NewRelicAuthenticationError,
  type NewRelicErrorKind,
} from './errors';
export {
  NrqlFragment,
  type NrqlValue,
  nrql,
  nrqlIdentifier,
  nrqlNumber,
  nrqlString,
} from './nrql';
export { newRelicServiceRef } from './serviceRef';
