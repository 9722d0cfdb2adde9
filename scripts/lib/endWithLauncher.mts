/**
 * Loaded into the processes of `./rocket start`. They are no part of the
 * terminal's group, so that Ctrl-C reaches the launcher alone and it ends them
 * in order; when the launcher itself is killed, the pipe to it closes and they
 * end by themselves, so that the next start finds its ports free.
 */
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.env.ROCKET_LAUNCHER_PID === String(process.ppid)) {
  // Nobody reads the log any more; that must not end the orderly end.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {});
  }
  process.stdin.on('error', () => {});
  process.stdin.once('close', () => process.kill(process.pid, 'SIGTERM'));
  process.stdin.resume();
  (process.stdin as unknown as { unref?(): void }).unref?.();
}
