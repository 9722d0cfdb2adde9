/**
 * A rendered service's pipeline, run step by step on this machine as its CI would: it registers the service, reports coverage and tests,
 * the image and a deployment, and the portal shows all of it.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/pipeline.ts --built DIR
 *
 * --built    a rendered repository with node_modules
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { GitHost, startPortal, type Portal } from './ci/portal';
import { walk } from './ci/walk';
import { assert, equal, Report } from './report';

const ROOT = path.resolve(__dirname, '../..');
const CLI = path.join(ROOT, 'packages/cli');
/** The portal takes tokens that are made for its address, which is known once it listens. */
const AUDIENCE = 'https://rocket.rig.example.com';
const DIGEST = `sha256:${'5'.repeat(64)}`;

/** Waits for what the portal does in the background; the last answer when it never gets good. */
async function eventually<T>(
  read: () => Promise<T>,
  good: (value: T) => boolean,
) {
  const end = Date.now() + 60_000;
  for (;;) {
    const value = await read();
    if (good(value) || Date.now() > end) return value;
    await new Promise(resolve => setTimeout(resolve, 250));
  }
}

/** The service as its team has it: two commits on main. Returns their ids, the newest first. */
function makeRepository(built: string, repo: string): string[] {
  cpSync(built, repo, {
    recursive: true,
    filter: file =>
      !['node_modules', 'coverage', 'ci-out', '.data', '.git'].includes(
        path.relative(built, file),
      ),
  });
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=Ana', '-c', 'user.email=ana@example.com', ...args],
      { cwd: repo, encoding: 'utf8' },
    ).trim();
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Take the golden template');
  writeFileSync(path.join(repo, 'NOTES.md'), 'Ours.\n');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Write down what is ours');
  return git('rev-list', 'HEAD').split('\n');
}

/** What the jobs with Docker leave behind. */
function dockerArtifacts(folder: string, repository: string) {
  const files: Record<string, Record<string, unknown>> = {
    scan: {
      'osv.json': { results: [] },
      'grype.json': {
        matches: [
          {
            vulnerability: {
              id: 'CVE-2026-1',
              severity: 'Low',
              fix: { state: 'not-fixed' },
            },
            artifact: { name: 'zlib', version: '1.3' },
          },
        ],
      },
      'sbom.cdx.json': {
        bomFormat: 'CycloneDX',
        specVersion: '1.6',
        components: [{ type: 'library', name: 'fastify', version: '5' }],
      },
    },
    reference: { 'image.txt': `ghcr.io/${repository}@${DIGEST}\n` },
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, contents]) => {
      const target = path.join(folder, name);
      mkdirSync(target, { recursive: true });
      for (const [file, value] of Object.entries(contents))
        writeFileSync(
          path.join(target, file),
          typeof value === 'string' ? value : JSON.stringify(value),
        );
      return [name, target];
    }),
  );
}

/** Checks that the portal shows what the pipeline said; the service was built, with its tests run. */
export async function checkPipeline(
  report: Report,
  built: string,
): Promise<void> {
  const work = mkdtempSync(path.join(tmpdir(), 'rocket-pipeline-'));
  const label = path.basename(built);
  const host = await GitHost.start();
  let portal: Portal | undefined;
  try {
    const entities = parseAllDocuments(
      readFileSync(path.join(built, 'catalog-info.yaml'), 'utf8'),
    ).map(document => document.toJS());
    const { name } = entities[0].metadata;
    const component = `component:default/${name}`;
    const pathRef =
      entities[0].metadata.annotations['rocket.internal/critical-path'];
    const repository = `acme/${name}`;
    const repo = path.join(work, 'repository');
    const [head, first] = makeRepository(built, repo);
    const command = path.join(work, 'rocket-ci.js');
    execFileSync(process.execPath, ['build.mjs', '--outfile', command], {
      cwd: CLI,
    });
    const running = await startPortal(host, AUDIENCE);
    portal = running;
    const known = await eventually(
      () =>
        running.read(
          'catalog',
          `entities/by-name/${pathRef.replace(':', '/')}`,
        ),
      Boolean,
    );
    assert(known, `The portal does not have ${pathRef}`);

    const runId = '4711';
    const coverage = path.join(built, 'coverage');
    const own = existsSync(path.join(coverage, 'junit.xml'));
    const jobs = [
      ...['catalog', 'register'],
      ...(own ? [] : ['integration']),
      ...['report-tests', 'report-image', 'deploy'],
    ];
    let log = '';
    const walked = await walk({
      repo,
      jobs,
      repository,
      runId,
      modules: path.join(built, 'node_modules'),
      vars: {
        ROCKET_URL: running.url,
        ROCKET_CLI_PACKAGE: command,
        // Every phase of the deployment goes well.
        DEPLOY_COMMAND: 'true',
      },
      env: {
        ROCKET_AUDIENCE: AUDIENCE,
        ...(process.env.TEST_DATABASE_URL
          ? { TEST_DATABASE_URL: process.env.TEST_DATABASE_URL }
          : {}),
      },
      artifacts: {
        ...dockerArtifacts(path.join(work, 'docker'), repository),
        ...(own ? { coverage } : {}),
      },
      idToken: async (audience, job) =>
        host.token({
          audience,
          repository,
          sha: head,
          runId,
          job: job.id,
          environment: job.environment,
        }),
      log: line => {
        log += `${line}\n`;
      },
    });
    for (const id of jobs)
      await report.check(`${label}: pipeline: ${id}`, () =>
        assert(
          walked[id].result === 'success',
          `ended with ${walked[id].result}\n${walked[id].output.slice(-3_000)}`,
        ),
      );
    await report.check(`${label}: pipeline: nobody sees a token`, () =>
      assert(!/eyJ[\w-]{20,}\./.test(log), 'a token stands in the log'),
    );

    await report.check(
      `${label}: the catalog has the service, from this commit`,
      async () => {
        const entity = await eventually(
          () =>
            running.read(
              'catalog',
              `entities/by-name/component/default/${name}`,
            ),
          found => found !== undefined,
        );
        const annotations = entity?.metadata.annotations ?? {};
        equal(
          annotations['rocket.internal/source-repository'],
          `https://github.com/${repository}`,
          'its repository',
        );
        equal(annotations['rocket.internal/source-commit'], head, 'its commit');
      },
    );
    await report.check(
      `${label}: the build shows coverage, tests, findings, image and SBOM`,
      async () => {
        const { items } = await running.read(
          'ci-registry',
          `builds?component=${component}`,
        );
        equal(items.length, 1, 'the number of builds');
        const [build] = items;
        equal([build.commit, build.outcome], [head, 'succeeded'], 'the build');
        assert(
          build.coverage.lines.covered / build.coverage.lines.total >= 0.9,
          `coverage is ${JSON.stringify(build.coverage)}`,
        );
        assert(
          build.tests[0].passed > 50 && build.tests[0].failed === 0,
          `tests are ${JSON.stringify(build.tests)}`,
        );
        equal(
          build.scans.map((scan: any) => [scan.tool, scan.low]).sort(),
          [
            ['grype', 1],
            ['osv-scanner', 0],
          ],
          'the findings',
        );
        equal(
          [build.artifacts[0].digest, build.artifacts[0].sbom.components],
          [DIGEST, 1],
          'the image',
        );
      },
    );
    await report.check(
      `${label}: the API document is kept, from this commit`,
      async () => {
        const { items } = await running.read(
          'ci-registry',
          `documents/default/${name}/versions`,
        );
        equal(
          items.map((item: any) => [item.version, item.format, item.commit]),
          [[1, 'openapi', head]],
          'its versions',
        );
      },
    );
    await report.check(
      `${label}: the deployment runs in production, with what it brought`,
      async () => {
        const { items } = await running.read(
          'ci-registry',
          `versions?component=${component}`,
        );
        equal(items.length, 1, 'the number of environments');
        const [{ environment, deployment, commits }] = items;
        equal(
          [
            environment,
            deployment.commit,
            deployment.outcome,
            deployment.digest,
          ],
          ['production', head, 'succeeded', DIGEST],
          'what runs',
        );
        // The push before is the first commit.
        equal(
          commits.map((commit: any) => commit.sha),
          [head],
          'its commits',
        );
        assert(first, 'there is an earlier commit');
      },
    );
    await report.check(
      `${label}: every decision on its tokens is kept, and none was a refusal`,
      async () => {
        const { items } = await running.read('ci-registry', 'decisions');
        assert(items.length >= 6, `${items.length} decisions`);
        equal(
          items.filter((item: any) => !item.allowed),
          [],
          'the refusals',
        );
      },
    );
  } finally {
    await portal?.stop();
    await host.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

if (require.main === module) {
  const { built } = parseArgs({
    options: { built: { type: 'string' } },
  }).values;
  const report = new Report(text => process.stdout.write(text));
  report
    .check('the pipeline can be run', () => {
      assert(built, 'Say --built DIR');
      return checkPipeline(report, path.resolve(built));
    })
    .finally(() => {
      const { passed, failures } = report;
      process.stdout.write(`${passed} passed, ${failures.length} failed\n`);
      process.exit(failures.length > 0 ? 1 : 0);
    });
}
