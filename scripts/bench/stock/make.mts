/**
 * The peer of our benchmarks: plain Backstage of the release that Rocket stands on, exactly as its own `create-app` makes it, built for
 * production. It is made once, in `.rocket/stock`; the next benchmark finds it there.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { Failure, say, seconds } from '../../lib/console.mts';
import { LOGS, ROOT, STATE } from '../../lib/paths.mts';
import { runToEnd } from '../../lib/processes.mts';

/** Makes apps of Backstage 1.55.0; checked below. */
const CREATE_APP = '@backstage/create-app@0.9.2';
const FOLDER = join(STATE, 'stock');
export const STOCK_APP = join(FOLDER, 'app');
const LOG = join(LOGS, 'stock.log');

const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

/** Changes when another release, other pinned versions or another Node.js are wanted. */
function wanted(): string {
  const { resolutions, packageManager } = readJson(join(ROOT, 'package.json'));
  return JSON.stringify({
    createApp: CREATE_APP,
    release: readJson(join(ROOT, 'backstage.json')).version,
    resolutions,
    packageManager,
    node: process.version,
  });
}

/** The vendored Yarn of this checkout. */
function yarnFile(): string {
  const folder = join(ROOT, '.yarn/releases');
  const [found] = readdirSync(folder).filter(name =>
    /^yarn-.*\.cjs$/.test(name),
  );
  if (!found) throw new Failure(`${folder} holds no Yarn.`);
  return join(folder, found);
}

/** What Backstage's own template leaves open is set as in Rocket, so that both run the same versions of the same libraries. */
function pinVersions(yarn: string): void {
  const ours = readJson(join(ROOT, 'package.json'));
  const file = join(STOCK_APP, 'package.json');
  const app = readJson(file);
  app.resolutions = {
    ...app.resolutions,
    ...ours.resolutions,
    '@backstage/plugin-scaffolder-backend-module-bitbucket-cloud': '0.3.10',
  };
  app.dependenciesMeta = ours.dependenciesMeta;
  app.packageManager = ours.packageManager;
  writeFileSync(file, `${JSON.stringify(app, null, 2)}\n`);
  cpSync(join(ROOT, 'yarn.lock'), join(STOCK_APP, 'yarn.lock'));
  const rc = join(STOCK_APP, '.yarnrc.yml');
  writeFileSync(
    rc,
    readFileSync(rc, 'utf8').replace(
      /^yarnPath:.*$/m,
      `yarnPath: ${relative(STOCK_APP, yarn)}`,
    ),
  );
}

/**
 * Makes, installs and builds it unless that was done before (about three minutes and 1.5 GB, once).
 *
 * @returns the folder; `node packages/backend` in it is the production backend, which serves the built app as well
 * @throws Failure naming the log when the registry cannot be reached or a step fails
 */
export async function makeStock(): Promise<string> {
  const stamp = join(FOLDER, 'made');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted())
    return STOCK_APP;
  const since = Date.now();
  say('making plain Backstage to compare with (about three minutes, once)');
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(STOCK_APP, { recursive: true });
  const yarn = yarnFile();
  const run = (what: string, command: string, args: string[]) =>
    runToEnd(what, command, args, {
      cwd: STOCK_APP,
      logFile: LOG,
      env: {
        ...process.env,
        CI: 'true',
        BACKSTAGE_APP_NAME: 'stock',
        YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
        NODE_OPTIONS: '--max-old-space-size=4096',
      },
    });
  await run("Backstage's create-app", 'npm', [
    'exec',
    '--yes',
    `--package=${CREATE_APP}`,
    '--',
    'backstage-create-app',
    '--path',
    STOCK_APP,
    '--skip-install',
  ]);
  const release = readJson(join(STOCK_APP, 'backstage.json')).version;
  const ours = readJson(join(ROOT, 'backstage.json')).version;
  if (release !== ours)
    throw new Failure(
      `${CREATE_APP} makes Backstage ${release}, but Rocket stands on ${ours}.`,
      'Name the create-app of that release in scripts/bench/stock/make.mts.',
    );
  pinVersions(yarn);
  await run('Installing plain Backstage', process.execPath, [yarn, 'install']);
  await run('Building plain Backstage', process.execPath, [
    yarn,
    'build:backend',
  ]);
  // As the template's Dockerfile does it; the dependencies are beside it already.
  execFileSync('tar', ['-xzf', 'packages/backend/dist/bundle.tar.gz'], {
    cwd: STOCK_APP,
  });
  writeFileSync(stamp, wanted());
  say(`plain Backstage ${release} made in ${seconds(since)}`);
  return STOCK_APP;
}
