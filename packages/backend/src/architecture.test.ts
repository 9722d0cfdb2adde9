import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The import rules of the house, kept by the package.json files: the linter
 * lets no package import what its package.json does not name.
 */

const ROOT = join(__dirname, '../../..');

interface Package {
  /** Folder from the root, `plugins/critical-paths-common`. */
  folder: string;
  manifest: Record<string, any>;
  role: string;
  /** 0 is the ground; no import runs up. */
  floor: number;
  /** Names of our own packages that the product needs at run time. */
  needs: string[];
  /** The same, and what its tests and demos need. */
  mentions: string[];
}

function floorOf(folder: string, role: string): number {
  if (folder.startsWith('packages/')) return 3;
  if (role === 'common-library' || role === 'web-library') return 0;
  // The one client of New Relic, and the one of Kubernetes.
  if (/\/(newrelic|kubernetes)-node$/.test(folder)) return 0;
  if (role === 'node-library' || role.startsWith('frontend-plugin')) return 1;
  return 2;
}

const folders = ['packages', 'plugins'].flatMap(parent =>
  readdirSync(join(ROOT, parent))
    .map(name => `${parent}/${name}`)
    .filter(folder => existsSync(join(ROOT, folder, 'package.json'))),
);
const manifests = folders.map(folder =>
  JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')),
);
const names = new Set<string>(manifests.map(manifest => manifest.name));
const packages = new Map<string, Package>(
  manifests.map((manifest, index) => {
    const folder = folders[index];
    const { role } = manifest.backstage;
    const ours = (...fields: string[]) =>
      fields
        .flatMap(field => Object.keys(manifest[field] ?? {}))
        .filter(name => names.has(name));
    return [
      manifest.name,
      {
        folder,
        manifest,
        role,
        floor: floorOf(folder, role),
        needs: ours('dependencies', 'peerDependencies'),
        mentions: ours('dependencies', 'peerDependencies', 'devDependencies'),
      },
    ];
  }),
);

/** `from -> to` for every dependency that breaks the rule. */
function breaches(
  dependencies: 'needs' | 'mentions',
  breaks: (from: Package, to: Package) => boolean,
): string[] {
  return [...packages.values()].flatMap(from =>
    from[dependencies]
      .filter(name => breaks(from, packages.get(name)!))
      .map(name => `${from.manifest.name} -> ${name}`),
  );
}

const inBrowser = ({ role }: Package) => /^(web|frontend)/.test(role);
const isShared = ({ role }: Package) => role === 'common-library';

it('finds the packages', () => {
  expect(packages.size).toBeGreaterThan(20);
  expect(packages.get('backend')!.needs.length).toBeGreaterThan(5);
});

it('lets no dependency run up the floors', () => {
  expect(breaches('needs', (from, to) => to.floor > from.floor)).toEqual([]);
});

it('has no circles', () => {
  const circles: string[] = [];
  const walk = (name: string, path: string[]) => {
    if (path.includes(name)) {
      circles.push([...path.slice(path.indexOf(name)), name].join(' -> '));
      return;
    }
    for (const next of packages.get(name)!.needs) walk(next, [...path, name]);
  };
  for (const name of packages.keys()) walk(name, []);
  expect(circles).toEqual([]);
});

it('keeps the common packages to themselves', () => {
  expect(
    breaches('mentions', (from, to) => isShared(from) && !isShared(to)),
  ).toEqual([]);
});

it('lets backend plugins reach each other only through -node and -common', () => {
  expect(
    breaches('needs', (from, to) => from.floor === 2 && to.floor === 2),
  ).toEqual([]);
});

it('lets browser and server meet only in -common', () => {
  expect(
    breaches(
      'mentions',
      (from, to) =>
        // The backend serves the portal's files.
        from.role !== 'backend' &&
        !isShared(to) &&
        inBrowser(from) !== inBrowser(to),
    ),
  ).toEqual([]);
});

it('meets the sandbox over HTTP alone', () => {
  expect(
    breaches('mentions', (_, to) => to.folder === 'packages/sandbox'),
  ).toEqual([]);
});

it.each([...packages.values()].map(p => [p.folder, p] as const))(
  '%s says what it is and packs what it reads',
  (folder, { manifest }) => {
    const has = (file: string) => existsSync(join(ROOT, folder, file));
    // Pipelines fetch rocket-ci as a package; everything else is only ever run from here.
    const isPublished = folder === 'packages/cli';
    expect(manifest.private ?? false).toBe(!isPublished);
    expect(manifest.license).toBe('Apache-2.0');
    expect(manifest.configSchema).toBe(
      has('config.d.ts') ? 'config.d.ts' : undefined,
    );
    const read = [
      ['config.d.ts', 'config.d.ts'],
      ['migrations', 'migrations/**/*.{js,d.ts}'],
      [
        'src/schema/openapi.yaml',
        // A description may be in several files.
        manifest.files.includes('src/schema/*.yaml')
          ? 'src/schema/*.yaml'
          : 'src/schema/openapi.yaml',
      ],
    ]
      .filter(([path]) => has(path))
      .map(([, pattern]) => pattern);
    expect(manifest.files).toEqual(expect.arrayContaining(['dist', ...read]));
    expect(has('README.md') || folder.startsWith('packages/')).toBe(true);
  },
);
