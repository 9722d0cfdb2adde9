import type { Json } from './fakeFields';

/** An answer that is no success. */
export class Refusal extends Error {
  readonly code: number;
  readonly reason?: string;
  readonly details: Json;

  constructor(
    code: number,
    reason: string | undefined,
    message: string,
    details: Json = {},
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  get status(): Json {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      details: this.details,
      code: this.code,
    };
  }
}
