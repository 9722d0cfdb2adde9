import type { OutgoingEvent } from './event.ts';

/** Where events are told. One adapter per kind of broker. */
export type Broker = {
  readonly name: string;
  /** How many events may be on their way at a time; those of one aggregate follow each other in any case. */
  readonly concurrency: number;
  /** Opens what is needed, when it is not open. Rejects while the broker is away: nothing is taken from the outbox then. */
  connect(): Promise<void>;
  /**
   * Resolves when the broker has the event for good. Rejects with EventRefused when it does not want this one, with any other error
   * when it cannot take any.
   */
  publish(event: OutgoingEvent): Promise<void>;
  close(): Promise<void>;
};

/** This event was not taken, others may be. It is tried again later; events of its aggregate wait behind it. */
export class EventRefused extends Error {}
