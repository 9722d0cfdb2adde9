export * from './kind';
export * from './api';
export * from './permissions';
export * from './histogram';
export * from './slo';
export * from './parse';
export * from './members';
