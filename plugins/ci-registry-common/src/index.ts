export * from './api';
export * from './client';
export * from './fields';
export * from './permissions';
export * from './reportSchemas';
export * from './schema';
