export interface Config {
  ciRegistry?: {
    /** How what was pushed gets into the catalog. */
    catalog?: {
      /**
       * Whether PostgreSQL parses and plans the catalog's statements once for each connection.
       * Set it to false behind a pooler that keeps no prepared statements for its clients
       * (PgBouncer before 1.21). Default: true.
       */
      preparedStatements?: boolean;
      /**
       * Whether the catalog's connections to PostgreSQL leave out statements of
       * transactions that have no effect: savepoints around nothing, begin and end
       * around reads alone. Default: true.
       * @visibility backend
       */
      leanTransactions?: boolean;
    };
  };
}
