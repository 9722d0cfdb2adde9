import { TestDatabases } from '@backstage/backend-test-utils';
import {
  makeLedger,
  request,
  ThingHandler,
  USER,
} from '../__testUtils__/effects';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
const actor = { name: USER };

describe('the effect ledger', () => {
  async function setup(
    options: { exclusive?: boolean; leaseMs?: number } = {},
  ) {
    const knex = await databases.init('SQLITE_3');
    const handler = new ThingHandler('test.thing', options.exclusive);
    const clock = { now: new Date('2026-11-21T12:00:00.000Z') };
    const make = () =>
      makeLedger(knex, {
        handlers: [handler],
        leaseMs: options.leaseMs,
        now: () => clock.now,
      });
    return { handler, clock, make, ...(await make()) };
  }
  const states = async (
    ledger: Awaited<ReturnType<typeof setup>>['ledger'],
    id: string,
  ) => (await ledger.events(id)).map(({ to }) => to);

  it('writes an effect before it is made and after, and audits each change', async () => {
    const { ledger, handler, audited } = await setup();
    let seen: unknown;
    handler.before = async () => {
      [seen] = await ledger.list({ run: 'task:1' });
    };
    const effect = await ledger.perform(request(), actor);
    expect(seen).toMatchObject({ state: 'applying', details: {} });
    expect(effect).toMatchObject({
      state: 'live',
      details: { address: 'thing://pay' },
      undo: 'Deletes the thing pay',
      actor: USER,
    });
    expect(await states(ledger, effect.id)).toEqual([
      'planned',
      'applying',
      'live',
    ]);

    const { effect: undone } = await ledger.remove(effect.id, 'undo', actor);
    expect(undone.state).toBe('undone');
    expect(handler.things.size).toBe(0);
    await ledger.remove(effect.id, 'undo', actor);
    expect(handler.writes).toBe(2);
    expect(audited.map(({ meta }) => `${meta.from}>${meta.to}`)).toEqual([
      'undefined>planned',
      'planned>applying',
      'applying>live',
      'live>undoing',
      'undoing>undone',
    ]);
  });

  it('finds nothing to do for the same intent, and changes it to another', async () => {
    const { ledger, handler } = await setup();
    const first = await ledger.perform(request(), actor);
    expect(await ledger.perform(request(), actor)).toEqual(first);
    expect(handler.writes).toBe(1);
    const changed = await ledger.perform(
      request({ intent: { size: 2 }, run: 'operation:9', step: 'scale' }),
      actor,
    );
    // Undoing the operation must not take away what was there before it.
    expect(changed).toMatchObject({
      id: first.id,
      run: 'task:1',
      step: 'things',
      intent: { size: 2 },
    });
    expect(handler.things.get('pay')!.size).toBe(2);

    // What has drifted is made again.
    handler.things.get('pay')!.size = 7;
    expect((await ledger.observe(first.id)).observation!.state).toBe('drifted');
    const mended = await ledger.perform(
      request({ intent: { size: 2 } }),
      actor,
    );
    expect(mended.observation).toBeUndefined();
    expect(handler.things.get('pay')!.size).toBe(2);
  });

  it('lets one of two runs for one name win and tells the other who', async () => {
    const { ledger, handler } = await setup();
    let release = () => {};
    handler.before = () =>
      new Promise(resolve => {
        release = resolve;
      });
    const first = await ledger.begin(request(), actor);
    await expect(
      ledger.perform(request({ run: 'task:2' }), actor),
    ).rejects.toThrow(/test.thing pay is being made by task:1/);
    await expect(
      ledger.perform(request({ subject: 'component:default/other' }), actor),
    ).rejects.toThrow(/belongs to component:default\/pay \(made by task:1\)/);
    handler.before = () => {};
    release();
    const second = await ledger.perform(request(), actor);
    expect(second).toMatchObject({ id: first.id, state: 'live' });
    expect(handler.writes).toBe(1);

    const many = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map(run =>
        ledger.perform(
          request({ reference: 'race', run: `task:${run}` }),
          actor,
        ),
      ),
    );
    const { run } = (await ledger.list({ reference: 'race' }))[0];
    for (const outcome of many) {
      if (outcome.status === 'fulfilled') continue;
      expect(outcome.reason.message).toContain(run);
    }
    expect(many.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(handler.writes).toBe(2);
  });

  it('keeps an exclusive thing for the run that began it, also when that failed', async () => {
    const { ledger, handler } = await setup({ exclusive: true });
    handler.before = () => {
      throw new Error('disk full');
    };
    await expect(ledger.perform(request(), actor)).rejects.toThrow('disk full');
    handler.before = () => {};
    await expect(
      ledger.perform(request({ run: 'task:2' }), actor),
    ).rejects.toThrow(
      'was begun by task:1; go on with that run or undo it, or choose another name',
    );
    expect((await ledger.perform(request(), actor)).state).toBe('live');
    expect(
      (await ledger.perform(request({ run: 'operation:1' }), actor)).run,
    ).toBe('task:1');
  });

  it('keeps why something failed, without the secret in it, and can go on', async () => {
    const { ledger, handler } = await setup();
    handler.before = () => {
      throw new Error(
        'cannot reach postgresql://app:hunter22@db/x with NRAK-ABCDEFGHIJKLMNOPQRSTUVWXY12',
      );
    };
    await expect(ledger.perform(request(), actor)).rejects.toThrow('hunter22');
    const [failed] = await ledger.list({});
    expect(failed).toMatchObject({
      state: 'failed',
      message: 'cannot reach postgresql://app:[redacted]@db/x with [redacted]',
    });
    expect(JSON.stringify(await ledger.events(failed.id))).not.toContain(
      'hunter22',
    );
    handler.before = () => {};
    // Never live, so the next run takes it up.
    expect(
      await ledger.perform(request({ run: 'task:2' }), actor),
    ).toMatchObject({
      id: failed.id,
      state: 'live',
      run: 'task:2',
      message: undefined,
    });
  });

  it.each([
    [{ size: 1, password: 'x' }, 'intent.password'],
    [{ size: 1, db: { url: 'postgresql://a:b@c/d' } }, 'intent.db.url'],
    [{ size: 1, list: ['Bearer abcdefghijklmnopqrstuv'] }, 'intent.list.0'],
    [{ size: 1, key: '-----BEGIN RSA PRIVATE KEY-----\nA' }, 'intent.key'],
    [{ size: 1, t: `ghp_${'a'.repeat(36)}` }, 'intent.t'],
  ])('refuses an intent that holds a secret: %j', async (intent, field) => {
    const { ledger } = await setup();
    const error = await ledger
      .perform(request({ intent }), actor)
      .catch(e => e);
    expect(error.name).toBe('InputError');
    expect(error.message).toMatch(new RegExp(`^${field}: looks like a secret`));
    expect(await ledger.list({})).toEqual([]);
    const harmless = { size: 1, passwordRef: 'x', secretName: 'y' };
    await ledger.perform(request({ intent: harmless }), actor);
  });

  it('takes an effect for a caller that makes it itself', async () => {
    const { ledger, handler } = await setup();
    const planned = await ledger.expect(request(), actor);
    expect(planned.state).toBe('planned');
    expect(await ledger.expect(request(), actor)).toEqual(planned);
    await ledger.takeUp();
    expect(handler.writes).toBe(0);
    const live = await ledger.perform(request(), actor);
    expect(live).toMatchObject({ id: planned.id, state: 'live' });
    expect((await ledger.expect(request(), actor)).state).toBe('live');

    const other = await ledger.expect(request({ reference: 'b' }), actor);
    expect((await ledger.remove(other.id, 'undo', actor)).effect.state).toBe(
      'undone',
    );
  });

  it('takes up what a killed backend left, once its lease is over', async () => {
    const { ledger, handler, make, clock } = await setup();
    handler.before = () => new Promise(() => {});
    const effect = await ledger.begin(request(), actor);
    const doomed = await ledger.begin(request({ reference: 'b' }), actor);
    // The first ledger hangs, as a dead one would; only its heartbeat goes on.
    const { ledger: next } = await make();
    expect(await next.takeUp()).toBe(0);
    clock.now = new Date(clock.now.getTime() + 31_000);
    handler.before = () => {};
    expect(await next.takeUp()).toBe(2);
    expect(await next.get(effect.id)).toMatchObject({
      state: 'live',
      actor: USER,
    });
    expect((await next.get(doomed.id))!.state).toBe('live');
    expect(await next.takeUp()).toBe(0);
  });

  it('leaves unfinished work to the next backend when it is shut down', async () => {
    const { ledger, handler, make } = await setup();
    handler.before = (_call, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    const effect = await ledger.begin(request(), actor);
    await ledger.close();
    expect((await ledger.get(effect.id))!.state).toBe('applying');
    handler.before = () => {};
    const { ledger: next } = await make();
    expect(await next.takeUp()).toBe(1);
    expect((await next.get(effect.id))!.state).toBe('live');
  });

  it('keeps a removal under way until it is done, and takes it up again', async () => {
    const { ledger, handler, clock } = await setup();
    const { id } = await ledger.perform(request(), actor);
    handler.removal = { outcome: 'retry', afterMs: 5_000, message: 'busy' };
    expect(await ledger.remove(id, 'retire', actor)).toMatchObject({
      effect: { state: 'undoing', message: 'busy', removal: 'retire' },
      retryAfterMs: 5_000,
    });
    await expect(ledger.perform(request(), actor)).rejects.toThrow(
      /is being taken back/,
    );
    handler.before = () => {
      throw new Error('no answer');
    };
    await expect(ledger.remove(id, 'retire', actor)).rejects.toThrow(
      'no answer',
    );
    expect(await ledger.get(id)).toMatchObject({
      state: 'undoing',
      message: 'no answer',
    });
    // Nobody repeats it, so the ledger does.
    handler.before = () => {};
    handler.removal = undefined;
    expect(await ledger.takeUp()).toBe(0);
    clock.now = new Date(clock.now.getTime() + 61_000);
    expect(await ledger.takeUp()).toBe(1);
    expect((await ledger.get(id))!.state).toBe('undone');
    expect(handler.things.size).toBe(0);
  });

  it('lists what a person must do, and keeps data until its time is over', async () => {
    const { ledger, handler, clock } = await setup();
    const { id } = await ledger.perform(request(), actor);
    handler.removal = { outcome: 'manual', instruction: 'Ask Ada' };
    await ledger.remove(id, 'undo', actor);
    expect(await ledger.list({ states: ['manual'] })).toMatchObject([
      { id, instruction: 'Ask Ada' },
    ]);

    const until = new Date(clock.now.getTime() + 1000);
    handler.removal = { outcome: 'retained', until, message: 'kept' };
    await ledger.remove(id, 'retire', actor);
    expect(await ledger.get(id)).toMatchObject({
      state: 'retained',
      retainedUntil: until.toISOString(),
      instruction: undefined,
    });
    handler.removal = undefined;
    expect((await ledger.remove(id, 'retire', actor)).effect.state).toBe(
      'retained',
    );
    await expect(ledger.perform(request(), actor)).rejects.toThrow(
      /is kept until .* choose another name/,
    );
    clock.now = until;
    await ledger.remove(id, 'retire', actor);
    expect(await ledger.get(id)).toMatchObject({
      state: 'undone',
      retainedUntil: undefined,
    });
  });

  it('finds drift and keeps it; a source that does not answer is unknown', async () => {
    const { ledger, handler, upkeep, clock } = await setup();
    const { id } = await ledger.perform(request(), actor);
    const next = async () => {
      clock.now = new Date(clock.now.getTime() + 61_000);
      await upkeep.reconcile();
      return (await ledger.get(id))!;
    };
    expect((await next()).observation!.state).toBe('present');
    handler.things.get('pay')!.size = 3;
    expect((await next()).observation).toMatchObject({
      state: 'drifted',
      differences: [{ field: 'size', intended: '1', found: '3' }],
    });
    handler.before = () => {
      throw new Error('503 from the source');
    };
    expect((await next()).observation).toMatchObject({
      state: 'unknown',
      message: '503 from the source',
    });
    handler.before = () => {};
    handler.things.clear();
    const gone = await next();
    expect(gone).toMatchObject({
      state: 'live',
      observation: { state: 'absent' },
    });
    expect(
      (await ledger.events(id)).slice(3).map(({ message }) => message),
    ).toEqual([
      'drifted when looked at; size is 3 and not 1',
      'unknown when looked at; 503 from the source',
      'absent when looked at',
    ]);
    // Not yet its turn again.
    handler.before = call => {
      if (call === 'observe') throw new Error('looked too early');
    };
    await upkeep.reconcile();
    expect((await ledger.get(id))!.observation!.state).toBe('absent');
  });

  it('gives up what it does when somebody else took over its lease', async () => {
    const { ledger, handler, clock, make } = await setup({ leaseMs: 200 });
    let signal: AbortSignal;
    let hanging = true;
    handler.before = (_call, context) => {
      if (!hanging) return undefined;
      signal = context.signal;
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    };
    const slow = ledger.perform(request(), actor).catch(e => e);
    while (!signal!) await new Promise(resolve => setImmediate(resolve));
    // Its heart stops: time goes on without it.
    clock.now = new Date(clock.now.getTime() + 60_000);
    hanging = false;
    const { ledger: next } = await make();
    const [row] = await next.list({});
    while ((await next.takeUp()) === 0) {
      clock.now = new Date(clock.now.getTime() + 60_000);
    }
    expect(await slow).toMatchObject({ name: 'ConflictError' });
    expect((await next.get(row.id))!.state).toBe('live');
    expect(handler.writes).toBe(1);
  });

  it('names the types there are', async () => {
    const { ledger } = await setup();
    await expect(
      ledger.perform(request({ type: 'no.such' }), actor),
    ).rejects.toThrow("type: there is no 'no.such' here; there are test.thing");
    await expect(ledger.remove('no', 'undo', actor)).rejects.toMatchObject({
      name: 'NotFoundError',
    });
    expect(ledger.retireOrder('test.thing')).toBe(30);
  });
});
