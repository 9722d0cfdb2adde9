export * from './checks';
export { Client } from './client';
export { loadContract } from './contract';
export { suiteOf } from './run';
