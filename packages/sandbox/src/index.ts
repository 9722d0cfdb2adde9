export * from './store/EventStore';
export { Journal } from './store/Journal';
export * from './misbehaviour/Misbehaviour';
export * from './server';
