/** What has to be true of a rendered repository before anything in it is run. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import {
  apiEntityV1alpha1Validator,
  componentEntityV1alpha1Validator,
  systemEntityV1alpha1Validator,
} from '@backstage/catalog-model';
import { parse, parseAllDocuments } from 'yaml';
import { assert, equal, type Report } from './report';
import { filesOf, type Answers } from './templates';

/** Descriptions that a form would refuse; the rendering must survive them all the same. */
export const HOSTILE: Record<string, string> = {
  quotes: `It's "quoted" and 'quoted' \\ back`,
  'template syntax':
    '${{ values.owner }} {{ 7 * 7 }} {% raw %} {# note #} ${HOME}',
  unicode: 'Zoë’s Ledger ☂ 漢字 \u{1F4B3} \u2028 end',
  newlines: 'first: line\n- second\n---\nkind: User\n\ttab',
  yaml: '*alias &anchor !!js/function > | # no comment: yes',
  shell: '$(touch /tmp/owned) `id` ; rm -rf / && echo',
  empty: '',
};

/** Both pipelines and a Go format have braces of their own. */
const OWN_BRACES = /^(\.github\/|\.gitlab-ci\.yml$)/;

const NEEDED = [
  '.dockerignore',
  '.env.example',
  '.gitignore',
  '.npmrc',
  '.nvmrc',
  '.rocket/template.json',
  'CODEOWNERS',
  'Dockerfile',
  'README.md',
  'catalog-info.yaml',
  'contracts/openapi.yaml',
  'contracts/problems.yaml',
  'deploy/kubernetes/overlays/dev/kustomization.yaml',
  'deploy/kubernetes/overlays/production/kustomization.yaml',
  'deploy/kubernetes/overlays/staging/kustomization.yaml',
  'docs/delivery.md',
  'docs/errors.md',
  'docs/first-change.md',
  'docs/index.md',
  'docs/runbook.md',
  'mkdocs.yml',
  'package-lock.json',
  'package.json',
  'rocket.yaml',
  'security-exceptions.json',
];

function checkSyntax(root: string, answers: Answers): void {
  // What the answers brought along is theirs; the rest must be clean.
  const inputs = Object.values(answers)
    .filter((value): value is string => typeof value === 'string')
    .flatMap(value => [value, JSON.stringify(value).slice(1, -1)])
    .filter(Boolean);
  // Tests throw such syntax at the service; they are copied as they are.
  for (const file of filesOf(root).filter(name => !name.startsWith('test/'))) {
    let text = readFileSync(path.join(root, file), 'utf8');
    for (const input of inputs) text = text.replaceAll(input, '');
    assert(
      !/\$\{\{ *(values|parameters)\./.test(text),
      `${file} reads values or parameters`,
    );
    if (!OWN_BRACES.test(file))
      assert(!/\{\{|\{%/.test(text), `${file} has {{ or {%`);
    assert(!/\b(TODO|FIXME)\b/.test(text), `${file} has something to do`);
  }
}

async function checkMeaning(root: string, answers: Answers): Promise<void> {
  const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
  const { criticalPath, step } = answers.criticalPathStep as {
    criticalPath: string;
    step: string;
  };
  const [component, system, api, ...rest] = parseAllDocuments(
    read('catalog-info.yaml'),
  ).map(document => document.toJS());
  equal(rest, [], 'the rest of catalog-info.yaml');
  equal(
    [component.kind, system.kind, api.kind],
    ['Component', 'System', 'API'],
    'the kinds',
  );
  equal(
    api.spec.definition,
    { $text: './contracts/openapi.yaml' },
    'the API definition',
  );
  // The register step and the catalog put the file in its place.
  api.spec.definition = read('contracts/openapi.yaml');
  equal(parse(api.spec.definition).openapi, '3.1.0', 'openapi');
  if (answers.description !== '') {
    await componentEntityV1alpha1Validator.check(component);
    await systemEntityV1alpha1Validator.check(system);
    await apiEntityV1alpha1Validator.check(api);
  }
  const { annotations } = component.metadata;
  const saved = JSON.parse(read('.rocket/template.json')).answers;
  equal(
    {
      description: component.metadata.description,
      name: component.metadata.name,
      owner: component.spec.owner,
      criticalPath: annotations['rocket.internal/critical-path'],
      step: annotations['rocket.internal/critical-path-step'],
      businessModel: system.spec.domain,
      packageDescription: JSON.parse(read('package.json')).description,
      lockedName: JSON.parse(read('package-lock.json')).packages[''].name,
      site: parse(read('mkdocs.yml')).site_name,
    },
    {
      description: answers.description,
      name: answers.name,
      owner: answers.owner,
      criticalPath,
      step,
      businessModel: answers.businessModel,
      packageDescription: answers.description,
      lockedName: answers.name,
      site: answers.name,
    },
    'what the files say',
  );
  const { criticalPathStep: _, ...plain } = answers;
  equal(
    saved,
    { ...plain, criticalPath, criticalPathStep: step },
    'the saved answers',
  );
  const owners = read('CODEOWNERS');
  const team = String(answers.owner).replace(/^.*\//, '');
  assert(
    new RegExp(`^\\* @[a-z0-9-]+/${team}$`, 'm').test(owners),
    'CODEOWNERS does not name the owner for every file',
  );
}

/** For every rendering, hostile ones too. */
export async function checkTree(
  report: Report,
  root: string,
  answers: Answers,
  label: string,
): Promise<void> {
  await report.check(`${label}: no template syntax is left`, () =>
    checkSyntax(root, answers),
  );
  await report.check(`${label}: YAML and JSON are valid`, () => {
    for (const file of filesOf(root)) {
      const text = readFileSync(path.join(root, file), 'utf8');
      if (/\.ya?ml$/.test(file)) {
        for (const document of parseAllDocuments(text))
          equal(document.errors.map(String), [], file);
      } else if (/\.json$/.test(file) && file !== 'tsconfig.json') {
        try {
          JSON.parse(text);
        } catch (error) {
          throw new Error(`${file}: ${(error as Error).message}`);
        }
      }
    }
  });
  await report.check(`${label}: the files say what was asked for`, () =>
    checkMeaning(root, answers),
  );
}

/** Once for each template and option set. */
export async function checkRepository(
  report: Report,
  root: string,
  label: string,
): Promise<void> {
  const files = filesOf(root);
  await report.check(`${label}: what a repository needs is there`, () => {
    for (const file of NEEDED)
      assert(files.includes(file), `${file} is missing`);
  });
  await report.check(
    `${label}: run bits: none, because node and npm run everything`,
    () => {
      for (const file of files)
        assert(
          (statSync(path.join(root, file)).mode & 0o111) === 0,
          `${file} is executable`,
        );
    },
  );
  await report.check(`${label}: package-lock.json names no registry`, () => {
    const lock = readFileSync(path.join(root, 'package-lock.json'), 'utf8');
    assert(
      !/"resolved"|https?:\/\/[^"]*\.tgz/.test(lock),
      'it has addresses of packages',
    );
    assert(lock.includes('"integrity"'), 'it has no checksums');
  });
  await report.check(
    `${label}: docs: every page is in the navigation, every link leads somewhere`,
    () => {
      const pages: string[] = parse(
        readFileSync(path.join(root, 'mkdocs.yml'), 'utf8'),
      ).nav.flatMap((item: object) => Object.values(item));
      for (const page of pages)
        assert(
          existsSync(path.join(root, 'docs', page)),
          `docs/${page} is missing`,
        );
      for (const file of files.filter(name => /^docs\/.*\.md$/.test(name)))
        assert(
          pages.includes(file.slice('docs/'.length)),
          `${file} is not in the navigation`,
        );
      for (const file of files.filter(name => name.endsWith('.md')))
        for (const [, target] of readFileSync(
          path.join(root, file),
          'utf8',
        ).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g))
          assert(
            existsSync(path.join(root, path.dirname(file), target)),
            `${file} leads to ${target}, which is not there`,
          );
    },
  );
  await report.check(
    `${label}: what the docs tell people to run is there`,
    () => {
      const { scripts } = JSON.parse(
        readFileSync(path.join(root, 'package.json'), 'utf8'),
      );
      for (const file of files.filter(
        name => name.endsWith('.md') || OWN_BRACES.test(name),
      )) {
        const text = readFileSync(path.join(root, file), 'utf8');
        for (const [, script] of text.matchAll(
          /npm run (?:--silent )?([\w:-]+)/g,
        ))
          assert(scripts[script], `${file}: there is no npm run ${script}`);
        for (const [, script] of text.matchAll(
          /\bnode (scripts\/[\w/.-]+\.ts)/g,
        ))
          assert(files.includes(script), `${file}: there is no ${script}`);
      }
    },
  );
}
