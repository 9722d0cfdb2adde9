export * from './api';
export * from './client';
export * from './dora';
export * from './fieldChanges';
export * from './fields';
export * from './permissions';
export * from './reportSchemas';
export * from './schema';
