export interface Config {
  scaffolder?: {
    /**
     * Files of unfinished runs, for `scaffolder.taskRecovery.workspaceProvider: disk`.
     */
    savedWorkspaces?: {
      /** Folder that only the backend can read; it outlives a restart. */
      directory: string;
    };
  };
}
