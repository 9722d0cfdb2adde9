import { Paced } from './Paced';

describe('Paced', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  function setup() {
    const starts: number[] = [];
    const ends: (() => void)[] = [];
    const paced = new Paced({
      gapMs: 250,
      maxWaitMs: 1_000,
      maxCrowdWaitMs: 5_000,
      work: () => {
        starts.push(Date.now());
        return new Promise<void>(resolve => ends.push(resolve));
      },
    });
    const origin = Date.now();
    return {
      paced,
      starts: () => starts.map(start => start - origin),
      end: async () => {
        ends.shift()?.();
        await jest.advanceTimersByTimeAsync(0);
      },
    };
  }

  it('works at once when it rested, however long that was', async () => {
    const { paced, starts, end } = setup();
    paced.ask();
    expect(starts()).toEqual([0]);
    await end();
    await jest.advanceTimersByTimeAsync(1_000);
    paced.ask();
    expect(starts()).toEqual([0, 1_000]);
  });

  it('makes one round of all asking in a burst, when it pauses', async () => {
    const { paced, starts, end } = setup();
    paced.ask();
    await end();
    for (let i = 0; i < 60; i++) {
      paced.ask();
      await jest.advanceTimersByTimeAsync(10);
    }
    await jest.advanceTimersByTimeAsync(5_000);
    expect(starts()).toEqual([0, 1_000]);
  });

  it('lets a crowd in first, up to a point', async () => {
    const { paced, starts, end } = setup();
    for (let i = 0; i < 1_100; i++) {
      paced.ask({ crowd: true });
      await end();
      await jest.advanceTimersByTimeAsync(10);
    }
    await jest.advanceTimersByTimeAsync(5_000);
    expect(starts()).toEqual([0, 5_000, 10_000, 11_250]);
  });

  it('does not wait for ever for a pause', async () => {
    const { paced, starts, end } = setup();
    for (let i = 0; i < 350; i++) {
      paced.ask();
      await end();
      await jest.advanceTimersByTimeAsync(10);
    }
    expect(starts()).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it('works again for what was asked while it worked', async () => {
    const { paced, starts, end } = setup();
    paced.ask();
    await jest.advanceTimersByTimeAsync(400);
    paced.ask();
    await jest.advanceTimersByTimeAsync(400);
    expect(starts()).toEqual([0]);
    await end();
    await jest.advanceTimersByTimeAsync(250);
    expect(starts()).toEqual([0, 1_050]);
    await end();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(starts()).toHaveLength(2);
  });

  it('starts nothing after it was stopped', async () => {
    const { paced, starts, end } = setup();
    paced.ask();
    paced.ask();
    await end();
    paced.stop();
    await jest.advanceTimersByTimeAsync(1_000);
    paced.ask();
    expect(starts()).toEqual([0]);
  });
});
