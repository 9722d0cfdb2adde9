import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { TEMPLATES } from './templates';

/** Throws what `contracts/generate.ts --check` says, if what it writes is not what is committed. */
export function contractDrift(): void {
  const script = path.join(TEMPLATES, 'contracts/generate.ts');
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [
      '--require',
      require.resolve('@backstage/cli/config/nodeTransform.cjs'),
      script,
      '--check',
    ],
    { encoding: 'utf8', timeout: 120_000 },
  );
  if (status !== 0) throw new Error(`${stderr}${stdout}`.trim());
}
