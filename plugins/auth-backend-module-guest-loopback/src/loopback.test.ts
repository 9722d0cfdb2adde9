import { isLoopbackAddress, refusalReason } from './loopback';

const request = (
  remoteAddress: string | undefined,
  headers: Record<string, string>,
) => ({ socket: { remoteAddress }, headers } as any);

describe('isLoopbackAddress', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.7', false],
    ['128.0.0.1', false],
    ['::ffff:10.0.0.7', false],
    ['fe80::1', false],
    ['127.0.0.1.example.com', false],
    ['', false],
    [undefined, false],
  ])('%s -> %s', (address, expected) => {
    expect(isLoopbackAddress(address)).toBe(expected);
  });
});

describe('refusalReason', () => {
  it.each(['localhost:7007', '127.0.0.1:7007', '[::1]:7007', 'LOCALHOST'])(
    'lets a browser on this machine in as %s',
    host => {
      expect(refusalReason(request('127.0.0.1', { host }))).toBeUndefined();
    },
  );

  it('refuses another machine even when it says localhost', () => {
    expect(
      refusalReason(request('10.0.0.7', { host: 'localhost:7007' })),
    ).toContain('another machine');
  });

  it.each(['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host'])(
    'refuses what came through a proxy: %s',
    header => {
      expect(
        refusalReason(
          request('127.0.0.1', { host: 'localhost', [header]: '127.0.0.1' }),
        ),
      ).toContain(header);
    },
  );

  it.each(['rocket.example.com', 'localhost.evil.example', '127.0.0.1.nip.io'])(
    'refuses the foreign name %s, as DNS rebinding would use',
    host => {
      expect(refusalReason(request('127.0.0.1', { host }))).toContain(
        'other than localhost',
      );
    },
  );
});
