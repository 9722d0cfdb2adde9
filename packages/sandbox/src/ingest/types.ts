import type { EventStore } from '../store/EventStore';

/** The part of the event store that receives telemetry. */
export type IngestStore = Pick<
  EventStore,
  'accounts' | 'append' | 'registerApplication'
>;

/** Where the parts of the sandbox report what they do; never given a key. */
export interface SandboxLogger {
  info(message: string): void;
  warn(message: string): void;
}
