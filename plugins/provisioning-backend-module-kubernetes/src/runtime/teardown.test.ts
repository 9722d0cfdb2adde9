import { pauseOf } from './teardown';

it.each([
  [0, 2],
  [3, 3],
  [12, 12],
  [45, 30],
  // The server's clock may be ahead of ours.
  [-600, 2],
])(
  'looks at a namespace that was deleted %d s ago again in %d s',
  (ago, pause) => {
    const now = Date.parse('2026-03-04T10:00:00Z');
    const deletedAt = new Date(now - ago * 1000).toISOString();
    expect(pauseOf(deletedAt, now)).toBe(pause * 1000);
  },
);
