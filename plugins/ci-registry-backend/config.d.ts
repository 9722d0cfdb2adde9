export interface Config {
  /** What pipelines may push into the catalog. */
  ciRegistry?: {
    /**
     * Kinds of entities that may be pushed. Location is not possible, because the
     * catalog would fetch whatever address it names.
     * Default: Component, API, Resource, System.
     */
    allowedKinds?: string[];
    /** Entities in one request. Default: 500. */
    maxEntities?: number;
    /** Size of one request in bytes; API definitions are part of it. Default: 5242880 (5 MiB). */
    maxBodyBytes?: number;
  };
}
