import { createExtensionPoint } from '@backstage/backend-plugin-api';

/** One thing that a provider knows of. */
export interface RunningComponent {
  /** Its name at the provider, unique there; at most 255 characters. */
  name: string;
  /** The component that it is, when the provider knows. */
  entityRef?: string;
  /** False for what the provider knows not to run; what it merely has not heard of is left out. */
  running: boolean;
  /** Last sign of life. */
  lastSeenAt?: Date;
  /** Its state in the provider's words, for people. */
  detail?: string;
}

/** Something that can tell what runs: telemetry, or a runtime. */
export interface RunningComponentsProvider {
  /** Stable id: `[a-z0-9-]`, at most 63 characters. */
  readonly id: string;
  /** Name for people. */
  readonly title: string;
  /** Annotation by which components say what they are called there; without it, and on components that lack it, `metadata.name` counts. */
  readonly annotation?: string;
  /**
   * Everything that runs now. Rejects when it cannot tell: then what was known
   * before still counts, and nothing is taken for stopped.
   */
  list(options: { signal: AbortSignal }): Promise<RunningComponent[]>;
}

export interface RunningComponentsExtensionPoint {
  /** Throws when a provider with the same id is there already. */
  addProvider(provider: RunningComponentsProvider): void;
}

/** Modules of the ci-registry plugin add here what can tell what runs. */
export const runningComponentsExtensionPoint =
  createExtensionPoint<RunningComponentsExtensionPoint>({
    id: 'ci-registry.running-components',
  });
