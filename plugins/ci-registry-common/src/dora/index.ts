export * from './metrics';
export * from './samples';
export * from './weeks';
