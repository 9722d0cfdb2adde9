export interface Config {
  permission?: {
    rocket?: {
      /**
       * Entity refs of users and groups that may do everything: register and
       * remove any entity, see and cancel everybody's scaffolder tasks.
       * Default: none.
       */
      administrators?: string[];
    };
  };
}
