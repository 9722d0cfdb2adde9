/** Breaks copies of the templates and expects the checks to be red, for the right reason. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Scaffolder } from './backend';
import { assert, Report } from './report';
import { checkStatically } from './static';
import { copyTemplates, templateNames } from './templates';

type Break = {
  name: string;
  /** What has to be said of it. */
  reason: RegExp;
  file: string;
  change: (text: string) => string;
};

const GITHUB = 'skeletons/ci/github/.github/workflows/ci.yml';
const PLATFORM = 'skeletons/nodejs-service';
const KUBERNETES = 'skeletons/kubernetes';

function breaks(template: string): Break[] {
  const definition = `${template}/template.yaml`;
  return [
    {
      name: 'template syntax that is not filled in',
      file: `${PLATFORM}/Dockerfile`,
      change: text => `${text}LABEL name=\${{ values.name }}\n`,
      reason: /Dockerfile reads values/,
    },
    {
      name: 'an action by tag',
      file: GITHUB,
      change: text =>
        text.replace(
          /actions\/checkout@\w{40} # (v\S+)/,
          'actions/checkout@$1',
        ),
      reason: /actions\/checkout@v\S+ is not pinned/,
    },
    {
      name: 'an image without its digest',
      file: `${PLATFORM}/Dockerfile`,
      change: text => text.replaceAll(/@sha256:\w{64}/g, ''),
      reason: /FROM node:\S+ is not pinned/,
    },
    {
      name: 'an image that runs as root',
      file: `${PLATFORM}/Dockerfile`,
      change: text => text.replace(/^USER .*\n/m, ''),
      reason: /runs as root/,
    },
    {
      name: 'a pipeline that may write',
      file: GITHUB,
      change: text => text.replace('permissions: {}', 'permissions: write-all'),
      reason: /permissions of the workflow/,
    },
    {
      name: 'a pipeline that was changed by hand',
      file: 'skeletons/ci/gitlab/.gitlab-ci.yml',
      change: text =>
        text.replace('timeout: 10 minutes', 'timeout: 11 minutes'),
      reason: /gitlab-ci\.yml/,
    },
    {
      name: 'an input that the form does not have',
      file: definition,
      change: text =>
        text.replace(
          '${{ parameters.description }}',
          '${{ parameters.summary }}',
        ),
      reason: /there is no field summary/,
    },
    {
      name: 'an action that does not exist',
      file: definition,
      change: text =>
        text.replace('action: rocket:register', 'action: rocket:enlist'),
      reason: /there is no action rocket:enlist/,
    },
    {
      name: 'a step without an input that it needs',
      file: definition,
      change: text =>
        text.replace(/^ +repository: \$\{\{ steps\.publish.*\n/m, ''),
      reason: /input repository is missing/,
    },
    {
      name: 'a form that takes anything for a name',
      file: definition,
      change: text =>
        text.replace(
          "pattern: '^[a-z][a-z0-9-]{1,61}[a-z0-9]$'",
          "pattern: '.*'",
        ),
      reason: /name: takes "a b"/,
    },
    {
      name: 'no version',
      file: definition,
      change: text =>
        text.replace(/^ +backstage\.io\/template-version:.*\n/m, ''),
      reason: /template-version must be/,
    },
    {
      name: 'broken JSON',
      file: `${PLATFORM}/security-exceptions.json`,
      change: text => `${text},`,
      reason: /security-exceptions\.json: /,
    },
    {
      name: 'broken YAML',
      file: `${template}/skeleton/mkdocs.yml`,
      change: text => `${text}nav: [\n`,
      reason: /mkdocs\.yml is /,
    },
    {
      name: 'a description that is not quoted',
      file: `${template}/skeleton/catalog-info.yaml`,
      change: text =>
        text.replaceAll(
          '${{ values.description | dump }}',
          '${{ values.description }}',
        ),
      reason: /catalog-info\.yaml|what the files say/,
    },
    {
      name: 'a file that nobody looked at',
      file: `${PLATFORM}/src/platform/main.ts`,
      change: text => `${text}// changed\n`,
      reason: /src\/platform\/main\.ts changed/,
    },
    {
      name: 'manifests that let a process write where it runs',
      file: `${KUBERNETES}/base/deployment.yaml`,
      change: text =>
        text.replace(
          'readOnlyRootFilesystem: true',
          'readOnlyRootFilesystem: false',
        ),
      reason: /read-only-root: Deployment/,
    },
    {
      name: 'an overlay that fetches from elsewhere',
      file: `${KUBERNETES}/overlays/dev/kustomization.yaml`,
      change: text =>
        text.replace('- ../../base', '- https://example.com/base'),
      reason: /'https:\/\/example\.com\/base' is an address/,
    },
    {
      name: 'a page that the navigation does not have',
      file: `${template}/skeleton/mkdocs.yml`,
      change: text => text.replace(/^ +- .*runbook\.md\n/m, ''),
      reason: /docs\/runbook\.md is not in the navigation/,
    },
  ];
}

/** Each break alone, in a copy; what is red in the copy before does not count. */
export async function selfTest(
  report: Report,
  scaffolder: Scaffolder,
  from: string,
): Promise<void> {
  const [template] = templateNames(from);
  const root = mkdtempSync(path.join(tmpdir(), 'rocket-broken-'));
  try {
    copyTemplates(from, root);
    // Only the first template: the checks are the same for all.
    writeFileSync(
      path.join(root, 'all.yaml'),
      `spec: { targets: [./${template}/template.yaml] }
`,
    );
    const snapshots = path.join(root, 'snapshots');
    const failuresOf = async (hostile: boolean, update = false) => {
      const silent = new Report();
      await checkStatically(silent, {
        root,
        scaffolder,
        snapshots,
        update,
        defaultsOnly: true,
        dryRun: false,
        hostile,
      });
      return silent.failures;
    };
    // Against a snapshot of its own: ours may be behind, which is told elsewhere.
    const before = new Set(
      (await failuresOf(true, true)).map(({ name }) => name),
    );
    for (const { name, file, change, reason } of breaks(template)) {
      await report.check(`self-test: red for ${name}`, async () => {
        const target = path.join(root, file);
        const text = readFileSync(target, 'utf8');
        const broken = change(text);
        assert(broken !== text, `${file} could not be broken`);
        writeFileSync(target, broken);
        try {
          const failures = (await failuresOf(name.includes('quoted'))).filter(
            failure => !before.has(failure.name),
          );
          assert(failures.length > 0, 'everything stayed green');
          const said = failures
            .map(failure => `${failure.name}: ${failure.reason}`)
            .join('\n');
          assert(
            reason.test(said),
            `${reason} is not among the reasons:\n${said.slice(0, 3_000)}`,
          );
        } finally {
          writeFileSync(target, text);
        }
      });
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
