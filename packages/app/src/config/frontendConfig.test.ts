import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What the portal's configuration tells everybody, also those who have not
 * signed in: it is part of index.html. A new path here is a decision.
 */

const ROOT = join(__dirname, '../../../..');
const CANARY = 'canary';

/** Runs the configuration through the filter that the build uses, every variable set to `CANARY`. */
function frontendConfig(files: string[]): object {
  const variables = files.flatMap(file =>
    [...readFileSync(file, 'utf8').matchAll(/\$\{(\w+)/g)].map(m => m[1]),
  );
  const output = execFileSync(
    process.execPath,
    [
      require.resolve('@backstage/cli/bin/backstage-cli'),
      'config:print',
      ...['--frontend', '--package', 'app', '--format', 'json'],
      ...files.flatMap(file => ['--config', file]),
    ],
    {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {
        ...process.env,
        ...Object.fromEntries(variables.map(name => [name, CANARY])),
        // These are read as numbers or addresses.
        ...Object.fromEntries(
          variables
            .filter(name => /_PORT|_ID$/.test(name))
            .map((name, index) => [name, String(7000 + index)]),
        ),
        ROCKET_URL: 'https://rocket.example.com',
      },
    },
  );
  return JSON.parse(output);
}

/** Paths of everything that has a value; the entries of a list share theirs. */
function paths(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(entry => paths(entry, `${path}[]`));
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return [path];
    return entries.flatMap(([key, entry]) =>
      paths(entry, path ? `${path}.${key}` : key),
    );
  }
  return [path];
}

const unique = (values: string[]) => [...new Set(values)].sort();

const EVERYWHERE = [
  'app.baseUrl',
  'app.extensions[]',
  'app.extensions[].page:catalog.config.path',
  'app.extensions[].page:home.config.path',
  'app.extensions[].sub-page:scaffolder/templates.config.enableBackstageUi',
  'app.packages',
  'app.support.items[].icon',
  'app.support.items[].links[].title',
  'app.support.items[].links[].url',
  'app.support.items[].title',
  'app.support.url',
  'app.title',
  'auth.environment',
  'backend.baseUrl',
  'kubernetes.frontend.podDelete.enabled',
  'organization.name',
  'permission.enabled',
  'techdocs.builder',
];

jest.setTimeout(60_000);

describe('the configuration that reaches the browser', () => {
  const embedded = join(ROOT, 'app-config.yaml');

  it('is this, in the embedded default', () => {
    const config = frontendConfig([embedded]);
    expect(unique(paths(config))).toEqual(
      unique([...EVERYWHERE, 'auth.providers.guest', 'integrations']),
    );
    expect(JSON.stringify(config)).not.toContain(CANARY);
  });

  it('is this, in a company', () => {
    const directory = mkdtempSync(join(tmpdir(), 'rocket-config-'));
    try {
      const production = join(directory, 'app-config.production.yaml');
      copyFileSync(join(ROOT, 'app-config.production.yaml'), production);
      writeFileSync(
        join(directory, 'github-app-credentials.yaml'),
        ['clientId', 'clientSecret', 'webhookSecret', 'privateKey'].reduce(
          (text, key) => `${text}${key}: ${CANARY}\n`,
          'appId: 1\n',
        ),
      );
      const config = frontendConfig([embedded, production]);
      expect(unique(paths(config))).toEqual(
        unique([
          ...EVERYWHERE,
          'auth.providers.github',
          'integrations.github[].host',
          'integrations.gitlab[].host',
        ]),
      );
      expect(config).toMatchObject({
        organization: { name: CANARY },
        integrations: { gitlab: [{ host: CANARY }] },
      });
      // Nothing else that came from a variable.
      expect(JSON.stringify(config).split(CANARY)).toHaveLength(3);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
