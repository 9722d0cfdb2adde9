/** `./rocket start`: the portal, its backend and the offline New Relic on this machine. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, printFailure, say } from './lib/console.mts';
import { buildPortal } from './lib/portalBuild.mts';
import { DEFAULT_DATA_DIR, startPortal } from './lib/portal.mts';
import { tail } from './lib/processes.mts';
import { prepareTechDocs } from './lib/techdocs.mts';

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: process.env.ROCKET_PORT ?? '7007' },
        'data-dir': {
          type: 'string',
          default: process.env.ROCKET_DATA_DIR ?? DEFAULT_DATA_DIR,
        },
        'no-traffic': { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
      },
    });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1024 || port > 65000) {
      throw new Failure(
        `--port must be a number from 1024 to 65000, was '${values.port}'.`,
      );
    }
    return {
      port,
      dataDir: resolve(values['data-dir']!),
      traffic: !values['no-traffic'],
      verbose: values.verbose!,
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) {
      throw new Failure((error as Error).message, 'See ./rocket --help');
    }
    throw error;
  }
}

async function main() {
  const options = readOptions();
  // Documentation is generated on demand; the portal need not wait for its generator.
  const techDocs = prepareTechDocs();
  await buildPortal(options);
  const portal = await startPortal(options);

  say('');
  say(`Rocket is at ${portal.url}`);
  say('Ctrl-C ends it; services and data come back with the next start.');
  techDocs.then(problem => {
    if (problem)
      say(
        `The Docs pages have no generator: ${problem}. Everything else works.`,
      );
  });

  let stopping = false;
  const stop = async (code: number) => {
    if (stopping) return;
    stopping = true;
    say('stopping; services finish what they are doing');
    await portal.stop();
    process.exit(code);
  };
  process.on('SIGINT', () => stop(0));
  process.on('SIGTERM', () => stop(0));
  process.on('SIGHUP', () => stop(0));
  for (const running of [portal.backend, portal.sandbox]) {
    running.ended.then(({ code, signal }) => {
      if (stopping) return;
      printFailure(
        new Failure(
          `The ${running.name} ended unexpectedly (${
            signal ?? `exit code ${code}`
          }).`,
          ...tail(running.logFile, 15),
          `The whole log: ${running.logFile}`,
        ),
      );
      stop(1);
    });
  }
}

main().catch(error => {
  printFailure(error);
  process.exit(1);
});
