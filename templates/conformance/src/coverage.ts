import type { Contract, Operation } from './contract';

/** Why a status is not demanded of this run. */
export type Exemption = { operation: string; status: number; reason: string };

/** What the service was seen to answer: the evidence that each promise of the document was tried. */
export class Coverage {
  readonly #seen = new Map<string, number>();
  readonly #codes = new Map<string, number>();
  requests = 0;

  record(operation: Operation, status: number, code?: string): void {
    this.requests += 1;
    const key = `${operation.id} ${status}`;
    this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1);
    if (code !== undefined)
      this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
  }

  count(operation: string, status: number): number {
    return this.#seen.get(`${operation} ${status}`) ?? 0;
  }

  /** Codes of the catalogue that no answer had. */
  unseenCodes(contract: Contract): string[] {
    return [...contract.problems.keys()].filter(code => !this.#codes.has(code));
  }

  sawCode(code: string): void {
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
  }

  /** Statuses of the document that were never answered and are not exempt. */
  missing(contract: Contract, exempt: Exemption[]): string[] {
    const missing: string[] = [];
    for (const operation of contract.operations) {
      for (const status of operation.responses.keys()) {
        const excused = exempt.some(
          entry => entry.operation === operation.id && entry.status === status,
        );
        if (!excused && this.count(operation.id, status) === 0)
          missing.push(
            `${operation.id} (${operation.method} ${operation.path}) never answered ${status}`,
          );
      }
    }
    return missing;
  }

  /** One line per operation: `status×count`, `-` for never, `(status)` for not demanded. */
  table(contract: Contract, exempt: Exemption[]): string {
    return contract.operations
      .map(operation => {
        const cells = [...operation.responses.keys()].sort().map(status => {
          const count = this.count(operation.id, status);
          if (count > 0) return `${status}×${count}`;
          return exempt.some(
            entry =>
              entry.operation === operation.id && entry.status === status,
          )
            ? `(${status})`
            : `${status} -`;
        });
        return `${operation.id.padEnd(24)} ${cells.join('  ')}`;
      })
      .join('\n');
  }
}

/**
 * Statuses that nobody can provoke from outside.
 * `authenticated`: tokens were given, so 401 and 403 are demanded. `drained`: the process was stopped, so /readyz had to say no.
 */
export function exemptions(
  contract: Contract,
  options: { authenticated: boolean; drained: boolean },
): Exemption[] {
  const exempt: Exemption[] = [];
  for (const operation of contract.operations) {
    for (const [status, { problemCodes }] of operation.responses) {
      const excuse = (reason: string) =>
        exempt.push({ operation: operation.id, status, reason });
      if (status === 500) excuse('a defect');
      else if (status === 503 && operation.id !== 'isReady')
        excuse('needs an outage or more load than a test makes');
      else if (status === 503 && !options.drained)
        excuse('needs a drain: give PROCESS_ID');
      else if (status === 429) excuse('rate limits are off by default');
      else if ((status === 401 || status === 403) && !options.authenticated)
        excuse('needs a service with AUTH_MODE=jwt and tokens');
      else if (
        problemCodes.length > 0 &&
        problemCodes.every(code => code === 'idempotency-conflict')
      )
        excuse('concurrent duplicates wait and are answered alike');
    }
  }
  return exempt;
}
