import { mockServices } from '@backstage/backend-test-utils';
import {
  CheckedRootHealthService,
  DefaultReadinessService,
} from './readinessService';

function setup() {
  const readiness = new DefaultReadinessService({
    logger: mockServices.logger.mock(),
    timeoutMs: 20,
  });
  const lifecycle = mockServices.rootLifecycle.mock();
  const health = new CheckedRootHealthService({ lifecycle, readiness });
  const run = (hook: 'addStartupHook' | 'addBeforeShutdownHook') =>
    lifecycle[hook].mock.calls.forEach(([work]) => work());
  return { readiness, health, run };
}

describe('readiness', () => {
  it('follows start, checks and shutdown, and stays alive', async () => {
    const { readiness, health, run } = setup();
    expect(await health.getReadiness()).toMatchObject({
      status: 503,
      payload: { message: 'Backend is starting' },
    });
    run('addStartupHook');
    expect((await health.getReadiness()).status).toBe(200);

    let away = true;
    readiness.addCheck('database', async () => {
      if (away) throw new Error('ECONNREFUSED 10.0.0.1');
    });
    readiness.addCheck('other', async () => 'fine');
    expect(await health.getReadiness()).toEqual({
      status: 503,
      payload: { message: 'Not ready: database', status: 'error' },
    });
    expect((await health.getLiveness()).status).toBe(200);
    away = false;
    expect((await health.getReadiness()).status).toBe(200);
    run('addBeforeShutdownHook');
    expect(await health.getReadiness()).toMatchObject({
      status: 503,
      payload: { message: 'Backend is stopping' },
    });
  });

  it('does not wait for what hangs, and asks it once', async () => {
    const { readiness } = setup();
    const release: (() => void)[] = [];
    readiness.addCheck(
      'database',
      () => new Promise<void>(resolve => release.push(resolve)),
    );
    expect(await readiness.failing()).toEqual(['database']);
    expect(await readiness.failing()).toEqual(['database']);
    expect(release).toHaveLength(1);
    release[0]();
    await new Promise(resolve => setImmediate(resolve));
    const next = readiness.failing();
    await new Promise(resolve => setImmediate(resolve));
    release[1]();
    expect(await next).toEqual([]);
  });

  it('says so of a check that throws at once', async () => {
    const { readiness } = setup();
    readiness.addCheck('broken', () => {
      throw new Error('no');
    });
    expect(await readiness.failing()).toEqual(['broken']);
  });
});
