export * from './experiment';
export * from './faults';
export * from './guardRails';
export * from './permissions';
export * from './rotation';
export * from './score';
export * from './verdict';
export * from './weeks';
