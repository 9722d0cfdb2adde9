import { ServiceUnavailableError } from '@backstage/errors';
import {
  type GeneratorRunOptions,
  TechdocsGenerator,
} from '@backstage/plugin-techdocs-node';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

async function onPath(program: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      await access(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // not in this folder
    }
  }
  return false;
}

/**
 * The stock generator, but where its program is missing the reader of a Docs
 * page gets a sentence with the way out, not `spawn mkdocs ENOENT`.
 */
export class RocketTechdocsGenerator extends TechdocsGenerator {
  override async run(options: GeneratorRunOptions): Promise<void> {
    if (!(await onPath('mkdocs'))) {
      throw new ServiceUnavailableError(
        'This Rocket has no documentation generator. It needs mkdocs-techdocs-core, which ./rocket start installs ' +
          'into .rocket/techdocs when Python 3 (with venv) and the Python package index can be reached. ' +
          'Everything else works without it; start Rocket again once they are there.',
      );
    }
    await super.run(options);
  }
}
