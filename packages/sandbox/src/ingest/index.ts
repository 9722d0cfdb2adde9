export {
  createIngestHandler,
  type IngestHandler,
  type IngestOptions,
} from './createIngestHandler';
export type { IngestStore, SandboxLogger } from './types';
