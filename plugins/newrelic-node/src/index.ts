export * from './types';
export {
  NewRelicError,
  NewRelicAuthenticationError,
  type NewRelicErrorKind,
  fromNerdGraphErrors,
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
