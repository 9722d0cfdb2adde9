import { ConflictError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type { Effect, EffectRequest } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';

/** A provisioning service that fails every call that a test did not expect. */
export function mockProvisioning(): jest.Mocked<ProvisioningService> {
  const unexpected = (name: string) =>
    jest.fn().mockRejectedValue(new Error(`unexpected call of ${name}`));
  return {
    checkName: unexpected('checkName'),
    createRepository: unexpected('createRepository'),
    createGitToken: unexpected('createGitToken'),
    deploy: unexpected('deploy'),
    getService: unexpected('getService'),
    getLog: unexpected('getLog'),
    preflight: unexpected('preflight'),
    requestEffect: unexpected('requestEffect'),
    waitForEffect: unexpected('waitForEffect'),
    plan: unexpected('plan'),
    requestOperation: unexpected('requestOperation'),
    getOperation: unexpected('getOperation'),
    getEnvironment: unexpected('getEnvironment'),
  } as unknown as jest.Mocked<ProvisioningService>;
}

/** Gives it a ledger in memory; `make` is what the handler does and what it answers as details. */
export function withLedger(
  provisioning: jest.Mocked<ProvisioningService>,
  make: (
    request: EffectRequest,
  ) => JsonObject | Promise<JsonObject> = () => ({}),
) {
  const effects = new Map<string, Effect>();
  /** Each request as `type reference state`, in order. */
  const log: string[] = [];
  provisioning.requestEffect.mockImplementation(
    async ({ deferred, ...request }) => {
      const id = `${request.type} ${request.reference}`;
      const before = effects.get(id);
      const effect = {
        ...before,
        ...request,
        id,
        details: before?.details ?? {},
        state: before?.state === 'live' ? 'live' : 'planned',
      } as Effect;
      effects.set(id, effect);
      log.push(`${id} ${deferred ? 'planned' : 'made'}`);
      if (
        deferred ||
        (before?.state === 'live' &&
          JSON.stringify(before.intent) === JSON.stringify(request.intent))
      ) {
        return effect;
      }
      try {
        Object.assign(effect, { details: await make(request), state: 'live' });
      } catch (error) {
        Object.assign(effect, {
          state: 'failed',
          message: (error as Error).message,
        });
      }
      return { ...effect, state: 'applying' };
    },
  );
  provisioning.waitForEffect.mockImplementation(async id => {
    const effect = effects.get(id)!;
    if (effect.state === 'live') return effect;
    throw new ConflictError(`${id} is ${effect.state}: ${effect.message}`);
  });
  return { effects, log };
}
