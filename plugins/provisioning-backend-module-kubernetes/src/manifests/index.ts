export * from './files';
export * from './kustomize';
export * from './manifest';
export * from './rules';
