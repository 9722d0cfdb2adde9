/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/** Shorter texts are part of too much else to be looked for. */
const SHORTEST = 4;

/** Takes secrets out of everything that is kept about a run. */
export class Redactor {
  readonly #secrets = new Set<string>();

  /** Adds a secret, its words (`Bearer x`) and how it looks inside URLs, JSON and Basic sign-in. */
  add(secret: string): void {
    const words = [secret, ...secret.split(/\s+/)];
    for (const word of words) {
      const forms = [
        word,
        encodeURIComponent(word),
        JSON.stringify(word).slice(1, -1),
      ];
      if (/^[A-Za-z0-9+/]+=*$/.test(word) && word.length % 4 === 0) {
        const plain = Buffer.from(word, 'base64').toString('utf8');
        forms.push(...(plain.includes(':') ? plain.split(':') : []));
      }
      forms
        .filter(
          form =>
            form.length >= SHORTEST && form !== 'Bearer' && form !== 'Basic',
        )
        .forEach(form => this.#secrets.add(form));
    }
  }

  text(value: string): string {
    let clean = value;
    // The longest first: a secret may hold a shorter one.
    for (const secret of [...this.#secrets].sort(
      (a, b) => b.length - a.length,
    )) {
      clean = clean.replaceAll(secret, REDACTED);
    }
    return clean;
  }
}
