export { OPENSLO_API_VERSION, type OpenSloDocument } from './documents';
export * from './toOpenSlo';
export * from './fromOpenSlo';
