export * from './api';
export * from './permissions';
export * from './annotations';
export * from './effects';
export * from './operations';
export * from './databases';
export * from './newrelic';
