import { spawn } from 'node:child_process';
import { Failure } from '../../lib/console.mts';
import { ROOT } from '../../lib/paths.mts';

/** Runs a TypeScript file with Node.js and reads the JSON line at the end of what it prints. */
export async function json<T>(
  nodeArgs: string[],
  file: string,
  args: string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<T> {
  return await new Promise<T>((done, fail) => {
    const child = spawn(process.execPath, [...nodeArgs, file, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_ENV: 'production', ...env },
    });
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    child.once('error', fail);
    child.once('close', code => {
      const last = output.trim().split('\n').pop() ?? '';
      if (code !== 0)
        fail(new Failure(`${file} ended with exit code ${code}.`));
      else if (!last.startsWith('{'))
        fail(new Failure(`${file} ended before it had a result.`));
      else done(JSON.parse(last) as T);
    });
  });
}
