export * from './store/EventStore';
export { Journal } from './store/Journal';
export * from './collector';
export * from './ingest';
export * from './traffic';
