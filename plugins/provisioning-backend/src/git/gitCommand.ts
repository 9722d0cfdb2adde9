import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/**
 * The whole environment of every Git process: no configuration of the user or
 * the machine, no hooks, no credential helpers, and no ownership check because
 * the data directory may be a mounted one.
 */
export function gitEnvironment(
  config: Record<string, string> = {},
): Record<string, string> {
  const entries = Object.entries({
    'core.hooksPath': '/dev/null',
    'safe.directory': '*',
    'gc.autoDetach': 'false',
    ...config,
  });
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(entries.length),
  };
  entries.forEach(([key, value], index) => {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return env;
}

/** Runs Git without a shell and answers what it printed. */
export async function git(
  args: string[],
  options: {
    env?: Record<string, string>;
    signal?: AbortSignal;
    timeoutMs?: number;
  } = {},
): Promise<string> {
  const { stdout } = await execFileAsync('git', args, {
    env: { ...gitEnvironment(), ...options.env },
    cwd: '/',
    signal: options.signal,
    timeout: options.timeoutMs ?? 60_000,
    maxBuffer: 1024 * 1024,
  });
  return stdout;
}
