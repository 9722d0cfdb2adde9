import type { RuntimeEnvironment } from '@rocket/plugin-provisioning-node';

/** A place where services can run, as deployments need it. */
export interface DeployEnvironment extends RuntimeEnvironment {
  title?: string;
  /** Id of the runtime. */
  runtime: string;
}

/** All environments, of the configuration and on demand. */
export interface EnvironmentDirectory {
  /** Undefined when there is none of that name, or it is gone. */
  find(name: string): Promise<DeployEnvironment | undefined>;
}
