export * from './store/EventStore';
export { Journal } from './store/Journal';
