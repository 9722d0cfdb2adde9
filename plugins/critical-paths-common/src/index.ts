export * from './kind';
export * from './api';
export * from './permissions';
