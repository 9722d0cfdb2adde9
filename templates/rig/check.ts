/**
 * Checks the golden templates: the form refuses bad input, the rendered tree is right for ordinary and hostile values, and what
 * came out installs, lints, type-checks and passes its own tests. Ends with `N passed, N failed`.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/check.ts [--quick] [--keep DIR]
 *
 * --quick leaves out installing and testing what came out. --keep DIR renders there and leaves it.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import {
  apiEntityV1alpha1Validator,
  componentEntityV1alpha1Validator,
  systemEntityV1alpha1Validator,
} from '@backstage/catalog-model';
import Ajv from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import {
  fetchSteps,
  filesOfStep,
  ORDINARY,
  readTemplate,
  render,
  TEMPLATES,
} from './render';

const TEMPLATE = 'transaction-service-nodejs';

const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    keep: { type: 'string' },
  },
});

let passed = 0;
const failures: string[] = [];

async function check(name: string, test: () => unknown): Promise<void> {
  try {
    await test();
    passed += 1;
    process.stdout.write(`ok   ${name}\n`);
  } catch (error) {
    failures.push(name);
    process.stdout.write(
      `FAIL ${name}\n     ${String(error).split('\n').join('\n     ')}\n`,
    );
  }
}

function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

function equal(actual: unknown, expected: unknown, what: string): void {
  assert(
    isDeepStrictEqual(actual, expected),
    `${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`,
  );
}

function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter(file => !file.startsWith('node_modules/'))
    .sort();
}

/** Values that a form would refuse; the rendering must survive them all the same. */
const HOSTILE: Record<string, string> = {
  quotes: `It's "quoted" and 'quoted' \\ back`,
  'template syntax':
    '${{ values.owner }} {{ 7 * 7 }} {% raw %} {# note #} ${HOME}',
  unicode: 'Zoë’s Ledger ☂ 漢字 \u{1F4B3} \u2028 end',
  newlines: 'first: line\n- second\n---\nkind: User\n\ttab',
  yaml: '*alias &anchor !!js/function > | # no comment: yes',
  shell: '$(touch /tmp/owned) `id` ; rm -rf / && echo',
  empty: '',
};

async function checkForm(): Promise<void> {
  const pages = readTemplate(TEMPLATE).spec.parameters as {
    required: string[];
    properties: Record<string, Record<string, unknown>>;
  }[];
  const fields = Object.assign(
    {},
    ...pages.map(page => page.properties),
  ) as Record<string, Record<string, any>>;
  // As the portal's form does: patterns are Unicode, ui:* keywords mean nothing to the validator.
  const ajv = new Ajv({ strict: false, allErrors: true });

  const good: Record<string, unknown[]> = {
    name: ['abc', 'wallet-transactions', `a${'b'.repeat(62)}`],
    owner: ['group:default/ledger', 'group:acme/team-a_1.x'],
    description: [
      "Keeps our customers' wallets (USD, EUR) - 100 %.",
      'Zoë’s 漢字',
    ],
    businessModel: ['domain:default/payments'],
    criticalPathStep: [
      { criticalPath: 'criticalpath:default/wallet-top-up', step: 'post' },
    ],
  };
  const words = [
    'a b',
    'Wallet',
    'a'.repeat(64),
    '../x',
    '..',
    'a/../b',
    '${{ x }}',
    '{{x}}',
    '{%x%}',
    '$(id)',
    '`id`',
    'a;b',
  ];
  const more = [
    'a|b',
    'a&b',
    'a>b',
    'a\nb',
    'a\u0000b',
    '-abc',
    'abc-',
    '1abc',
    'ab',
    '',
    'ä-service',
    'a_b',
    'a.b',
    7,
    null,
  ];
  const prefixed = (prefix: string) => words.map(word => prefix + word);
  const bad: Record<string, unknown[]> = {
    name: [...words, ...more],
    owner: [
      ...words,
      ...prefixed('group:default/').filter(
        ref => ref.length > 90 || !ref.endsWith('a'.repeat(64)),
      ),
      'user:default/ana',
      'ledger',
    ],
    description: [
      'ab',
      'x'.repeat(201),
      '../../etc',
      '${{ x }}',
      '{{ x }}',
      '{% x %}',
      '$(id)',
      '`id`',
      'a; b',
      'a | b',
      'a & b',
      '<b>',
      'a\nb',
      'a\\b',
      'a\u0000bc',
    ],
    businessModel: [
      ...words,
      'domain:default/A B',
      'domain:default/../x',
      'group:default/x',
    ],
    criticalPathStep: [
      ...words.map(step => ({ criticalPath: 'criticalpath:default/x', step })),
      ...words
        .map(name => ({
          criticalPath: `criticalpath:default/${name}`,
          step: 'post',
        }))
        .filter(({ criticalPath }) => !/\/a+$/.test(criticalPath)),
      { criticalPath: 'criticalpath:default/x' },
      { criticalPath: 'criticalpath:default/x', step: 'post', more: 1 },
      'post',
    ],
  };

  for (const [name, schema] of Object.entries(fields)) {
    await check(
      `form: ${name} has a title and help, is required and bounded`,
      () => {
        assert(
          schema.title && schema.description,
          'title or description is missing',
        );
        assert(
          pages.some(page => page.required.includes(name)),
          'is not required',
        );
        const parts =
          schema.type === 'object'
            ? (Object.values(schema.properties) as any[])
            : [schema];
        for (const part of parts)
          assert(
            part.pattern && part.maxLength && part.title,
            'pattern, maxLength or title is missing',
          );
      },
    );
    await check(`form: ${name} takes good values and refuses bad ones`, () => {
      const validate = ajv.compile(schema);
      for (const value of good[name])
        assert(
          validate(value),
          `refuses ${JSON.stringify(value)}: ${ajv.errorsText(
            validate.errors,
          )}`,
        );
      for (const value of bad[name])
        assert(!validate(value), `takes ${JSON.stringify(value)}`);
    });
  }

  await check('form: the name is that of the local runtime', () => {
    const source = readFileSync(
      path.join(TEMPLATES, '../plugins/provisioning-common/src/api.ts'),
      'utf8',
    );
    assert(
      source.includes(`SERVICE_NAME_PATTERN = /${fields.name.pattern}/`),
      'differs from SERVICE_NAME_PATTERN',
    );
  });

  await check('steps: what is read exists', () => {
    const text = readFileSync(
      path.join(TEMPLATES, TEMPLATE, 'template.yaml'),
      'utf8',
    );
    const steps = readTemplate(TEMPLATE).spec.steps.map(step => step.id);
    for (const [, field] of text.matchAll(/parameters\.(\w+)/g))
      assert(fields[field], `there is no field ${field}`);
    for (const [, step] of text.matchAll(/steps\.(\w+)\./g))
      assert(steps.includes(step), `there is no step ${step}`);
    equal(
      steps,
      [
        ...fetchSteps(TEMPLATE).map(step => step.id),
        'publish',
        'deploy',
        'register',
      ],
      'the order of the steps',
    );
    const version =
      readTemplate(TEMPLATE).metadata.annotations?.[
        'backstage.io/template-version'
      ];
    for (const step of fetchSteps(TEMPLATE)) {
      const { values } = step.input;
      if (values?.version) equal(values.version, version, 'the version');
      if (values?.template) equal(values.template, TEMPLATE, 'the template');
    }
  });
}

async function checkTree(
  root: string,
  values: Record<string, string>,
  label: string,
): Promise<void> {
  const files = filesOf(root);
  const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

  await check(`${label}: no template syntax is left`, () => {
    // What the values brought along is theirs; the rest must be clean.
    const inputs = Object.values(values)
      .flatMap(value => [value, JSON.stringify(value).slice(1, -1)])
      .filter(Boolean);
    for (const file of files) {
      let text = read(file);
      for (const input of inputs) text = text.replaceAll(input, '');
      assert(
        !/\bvalues\.(?!join\b)\w|parameters\.\w+ *\}\}/.test(text),
        `${file} reads values`,
      );
      if (!file.startsWith('.github/'))
        assert(!/\{\{|\{%/.test(text), `${file} has {{ or {%`);
      assert(!/\b(TODO|FIXME)\b/.test(text), `${file} has something to do`);
    }
  });

  await check(
    `${label}: YAML and JSON are valid and say what was asked for`,
    async () => {
      for (const file of files) {
        if (/\.ya?ml$/.test(file)) {
          for (const document of parseAllDocuments(read(file)))
            equal(document.errors.map(String), [], file);
        } else if (/\.json$/.test(file) && file !== 'tsconfig.json')
          JSON.parse(read(file));
      }
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
      if (values.description !== '') {
        await componentEntityV1alpha1Validator.check(component);
        await systemEntityV1alpha1Validator.check(system);
        await apiEntityV1alpha1Validator.check(api);
      }
      equal(
        component.metadata.description,
        values.description,
        'the description',
      );
      equal(
        [component.metadata.name, component.spec.owner],
        [values.name, values.owner],
        'name and owner',
      );
      const annotations = component.metadata.annotations;
      equal(
        annotations['rocket.internal/critical-path'],
        values.criticalPath,
        'the critical path',
      );
      equal(
        annotations['rocket.internal/critical-path-step'],
        values.criticalPathStep,
        'the step',
      );
      equal(system.spec.domain, values.businessModel, 'the business model');
      equal(
        JSON.parse(read('package.json')).description,
        values.description,
        'package.json description',
      );
      equal(
        JSON.parse(read('package-lock.json')).packages[''].name,
        values.name,
        'the name in package-lock.json',
      );
      equal(
        JSON.parse(read('.rocket/template.json')).answers,
        values,
        'the saved answers',
      );
      equal(parse(read('mkdocs.yml')).site_name, values.name, 'site_name');
    },
  );
}

async function checkPipelines(root: string): Promise<void> {
  const github = readFileSync(
    path.join(root, '.github/workflows/ci.yml'),
    'utf8',
  );
  await check('pipelines: GitHub expressions survived', () => {
    for (const expression of [
      '${{ github.ref }}',
      '${{ github.sha }}',
      '${{ !cancelled() }}',
    ]) {
      assert(github.includes(expression), `${expression} is gone`);
    }
  });
  await check(
    'pipelines: actions are pinned by commit, with their version, and permissions are granted per job',
    () => {
      const uses = [...github.matchAll(/uses: *(.+)/g)].map(match => match[1]);
      assert(uses.length > 0, 'no action is used');
      for (const use of uses)
        assert(
          /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(use),
          `${use} is not pinned`,
        );
      const workflow = parse(github);
      equal(workflow.permissions, {}, 'permissions');
      for (const job of Object.values<any>(workflow.jobs)) {
        assert(
          job.permissions && job['timeout-minutes'],
          'a job has no permissions or no time limit',
        );
        for (const step of job.steps) {
          if (step.uses?.startsWith('actions/checkout'))
            equal(
              step.with['persist-credentials'],
              false,
              'persist-credentials',
            );
        }
      }
      assert(!github.includes('pull_request_target'), 'pull_request_target');
    },
  );
  await check('pipelines: images name one exact version', () => {
    const text =
      readFileSync(path.join(root, '.gitlab-ci.yml'), 'utf8') +
      readFileSync(path.join(root, 'Dockerfile'), 'utf8');
    const images = [
      ...text.matchAll(/(?:^FROM|image:|services: \[) *([\w./-]+:[\w.-]+)/gm),
    ].map(match => match[1]);
    assert(images.length >= 5, 'images not found');
    for (const image of images)
      assert(/:\d+\.\d+\.\d+/.test(image), `${image} is not pinned`);
  });
}

async function checkSources(root: string): Promise<void> {
  await check('tree: what a repository needs is there', () => {
    const needed = [
      '.gitignore',
      '.npmrc',
      '.nvmrc',
      '.github/workflows/ci.yml',
      '.gitlab-ci.yml',
      '.rocket/template.json',
      'Dockerfile',
    ];
    needed.push(
      'README.md',
      'catalog-info.yaml',
      'docs/index.md',
      'mkdocs.yml',
      'package-lock.json',
      'rocket.yaml',
    );
    const files = filesOf(root);
    for (const file of needed)
      assert(files.includes(file), `${file} is missing`);
    assert(
      !files.some(file => /(^|\/)(\.data|coverage|node_modules)\//.test(file)),
      'something that was built came along',
    );
  });
  await check(
    'tree: nothing is executable, because everything is run by node or npm',
    () => {
      for (const file of filesOf(root))
        assert(
          (statSync(path.join(root, file)).mode & 0o111) === 0,
          `${file} is executable`,
        );
    },
  );
  await check('tree: package-lock.json names no registry', () => {
    const lock = readFileSync(path.join(root, 'package-lock.json'), 'utf8');
    assert(
      !/"resolved"|https?:\/\/[^"]*\.tgz/.test(lock),
      'it has addresses of packages',
    );
    assert(lock.includes('"integrity"'), 'it has no checksums');
  });
  await check('tree: each file comes from one step', () => {
    const owners = new Map<string, string>();
    for (const step of fetchSteps(TEMPLATE)) {
      for (const file of filesOfStep(TEMPLATE, step)) {
        const other = owners.get(file);
        assert(
          other === undefined,
          `${file} comes from the steps ${other} and ${step.id}`,
        );
        owners.set(file, step.id);
      }
    }
    equal(filesOf(root), [...owners.keys()].sort(), 'the tree');
  });
  await check('tree: docs in the navigation exist', () => {
    const pages = parse(
      readFileSync(path.join(root, 'mkdocs.yml'), 'utf8'),
    ).nav.flatMap((item: object) => Object.values(item));
    for (const page of pages)
      assert(
        existsSync(path.join(root, 'docs', page)),
        `docs/${page} is missing`,
      );
  });
}

const SERVICE_VARIABLES =
  /^((TEST_|MIGRATION_)?DATABASE_.*|NODE_OPTIONS|PORT|HOST|LOG_LEVEL|NEW_RELIC_.*|ROCKET_.*|BACKSTAGE_.*)$/;

/** The commands of the README, in the rendered repository. */
async function checkBuild(root: string): Promise<void> {
  // All of the machine's settings (proxies, certificates, registries), none that would change the service under test.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !SERVICE_VARIABLES.test(name),
    ),
  );
  for (const command of [
    'npm ci',
    'npm run lint',
    'npm run typecheck',
    'npm test',
  ]) {
    const started = Date.now();
    await check(`built: ${command}`, () => {
      const [file, ...rest] = command.split(' ');
      const result = spawnSync(file, rest, {
        cwd: root,
        env,
        encoding: 'utf8',
        timeout: 600_000,
        maxBuffer: 64 * 1024 * 1024,
      });
      const output = `${result.stdout}${result.stderr}`;
      assert(
        result.status === 0,
        `${command} ended with ${
          result.status ?? result.signal
        }\n${output.slice(-6_000)}`,
      );
      for (const line of output.split('\n')) {
        if (/^(Tests|Test Suites|Statements|Branches) *:/.test(line))
          process.stdout.write(`     ${line}\n`);
      }
    });
    process.stdout.write(
      `     ${((Date.now() - started) / 1000).toFixed(1)} s\n`,
    );
    if (failures.includes(`built: ${command}`) && command === 'npm ci') return;
  }
}

async function main(): Promise<void> {
  const work = mkdtempSync(path.join(tmpdir(), 'rocket-templates-'));
  // As root, the PostgreSQL of the tests runs as another user, who has to get in.
  chmodSync(work, 0o755);
  try {
    await checkForm();
    const root = args.keep
      ? path.resolve(args.keep)
      : path.join(work, 'ordinary');
    await check('renders', () => render(TEMPLATE, root, ORDINARY));
    await checkTree(root, ORDINARY, 'ordinary values');
    await checkSources(root);
    await checkPipelines(root);
    const plain = filesOf(root);
    for (const [label, description] of Object.entries(HOSTILE)) {
      const out = path.join(work, label.replace(' ', '-'));
      const values = { ...ORDINARY, description };
      await check(`${label}: renders the same files`, async () => {
        await render(TEMPLATE, out, values);
        equal(filesOf(out), plain, 'the tree');
      });
      await checkTree(out, values, label);
    }
    if (!args.quick) await checkBuild(root);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  process.stdout.write(`${passed} passed, ${failures.length} failed\n`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

main().catch(error => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.stdout.write(`${passed} passed, ${failures.length + 1} failed\n`);
  process.exitCode = 1;
});
