export * from './board';
export * from './boards';
export * from './budget';
export * from './attribution';
export * from './changes';
export * from './policy';
export * from './history';
export * from './alerts';
