import { InputError } from '@backstage/errors';
import type { EffectHandler } from '@rocket/plugin-provisioning-node';

/** The types of effects that this installation knows. */
export class EffectHandlers {
  readonly #byType = new Map<string, EffectHandler>();

  add(handler: EffectHandler): void {
    if (this.#byType.has(handler.type)) {
      throw new Error(
        `The effect type '${handler.type}' has a handler already`,
      );
    }
    this.#byType.set(handler.type, handler);
  }

  /** @throws InputError that names the types there are. */
  get(type: string): EffectHandler {
    const handler = this.#byType.get(type);
    if (!handler) {
      throw new InputError(
        `type: there is no '${type}' here; there are ${
          [...this.#byType.keys()].sort().join(', ') || 'none'
        }`,
      );
    }
    return handler;
  }

  find(type: string): EffectHandler | undefined {
    return this.#byType.get(type);
  }
}
