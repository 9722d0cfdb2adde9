import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { type Call, componentOf, send, surroundingsOf } from '../context';
import { InputFileError, UsageError } from '../errors';
import { Git } from '../git';
import { choiceOf, listOf, type Options, PUSH, textOf } from '../options';
import {
  parseImage,
  readArtifact,
  readImage,
  readSbom,
} from '../reports/artifacts';
import { addCoverage, readCoverage } from '../reports/coverage';
import { addScans, readScans } from '../reports/scans';
import { addTests, readTests } from '../reports/tests';
import {
  type ArtifactReport,
  BUILD_OUTCOMES,
  type BuildReport,
} from '../types';

export const OPTIONS: Options = {
  ...PUSH,
  component: {
    type: 'string',
    value: 'REF',
    help: "ROCKET_COMPONENT, or the repository's only component",
  },
  coverage: {
    type: 'string',
    multiple: true,
    value: 'FILE',
    help: 'lcov, Cobertura, JaCoCo or Go cover profile; several are added up',
  },
  tests: {
    type: 'string',
    multiple: true,
    value: '[NAME=]FILE',
    help: 'JUnit XML, or a folder of it; files of one name are one suite',
  },
  scan: {
    type: 'string',
    multiple: true,
    value: '[TOOL=]FILE',
    help: 'SARIF, or JSON of osv-scanner or grype',
  },
  image: {
    type: 'string',
    multiple: true,
    value: 'NAME@DIGEST',
    help: 'an image that the build made, by its digest',
  },
  'image-file': {
    type: 'string',
    multiple: true,
    value: 'FILE',
    help: 'a file that holds such a name',
  },
  artifact: {
    type: 'string',
    multiple: true,
    value: '[TYPE=]FILE',
    help: 'a package, archive or file that the build made',
  },
  sbom: {
    type: 'string',
    value: 'FILE',
    help: 'CycloneDX, JSON or XML, of the one artefact that is named',
  },
  'sbom-url': { type: 'string', value: 'URL', help: 'where people find it' },
  outcome: {
    type: 'string',
    value: BUILD_OUTCOMES.join('|'),
    help: 'how the build ended; failed when a test failed, else left out',
  },
  version: { type: 'string', value: 'TEXT', help: 'what people call it' },
  started: { type: 'string', value: 'TIME', help: 'ISO 8601' },
  finished: { type: 'string', value: 'TIME', help: 'ISO 8601, or now' },
  since: {
    type: 'string',
    value: 'SHA',
    help: 'the build before; what the CI system says',
  },
};

/** Splits `NAME=FILE`. A file's own name may hold `=` after a slash. */
function named(text: string): { name?: string; file: string } {
  const match = /^([^=/]+)=(.+)$/.exec(text);
  return match ? { name: match[1], file: match[2] } : { file: text };
}

export function timeOf(call: Call, name: string): string | undefined {
  const text = textOf(call.values, name);
  if (text === undefined) return undefined;
  if (text === 'now') return call.now().toISOString();
  const time = Date.parse(text);
  if (Number.isNaN(time) || !/^\d{4}-\d\d-\d\dT/.test(text))
    throw new UsageError(
      `--${name} must be an ISO 8601 date and time or now, was ${JSON.stringify(
        text,
      )}`,
    );
  return new Date(time).toISOString();
}

export function artifactsOf(call: Call): ArtifactReport[] {
  const { cwd, values } = call;
  return [
    ...listOf(values, 'image').map(text => parseImage(text, '--image')),
    ...listOf(values, 'image-file').map(file =>
      readImage(path.resolve(cwd, file), file),
    ),
    ...listOf(values, 'artifact').map(text => readArtifact(text, cwd)),
  ];
}

/** The file itself; of a folder, the XML files in it, as Surefire and Gradle leave one for each class. */
function testFiles(
  full: string,
  shown: string,
): { full: string; shown: string }[] {
  if (!statSync(full, { throwIfNoEntry: false })?.isDirectory())
    return [{ full, shown }];
  const files = readdirSync(full)
    .filter(name => /\.xml$/i.test(name))
    .sort();
  if (files.length === 0)
    throw new InputFileError(shown, 'is a folder without XML files');
  return files.map(name => ({
    full: path.join(full, name),
    shown: path.join(shown, name),
  }));
}

/** Reads what the files of the options say, and nothing else. */
function readReports(call: Call): Partial<BuildReport> {
  const { cwd, values } = call;
  const at = (file: string) => path.resolve(cwd, file);
  const coverage = listOf(values, 'coverage').map(file =>
    readCoverage(at(file), file),
  );
  const tests = listOf(values, 'tests').flatMap(text => {
    const { name, file } = named(text);
    return testFiles(at(file), file).map(one =>
      readTests(one.full, name, one.shown),
    );
  });
  const scans = listOf(values, 'scan').flatMap(text => {
    const { name, file } = named(text);
    return readScans(at(file), name, file);
  });
  const artifacts = artifactsOf(call);
  const sbom = textOf(values, 'sbom');
  const url = textOf(values, 'sbom-url');
  if (sbom !== undefined) {
    if (artifacts.length !== 1)
      throw new UsageError(
        `--sbom belongs to one artefact, and ${artifacts.length} are named; use --image, --image-file or --artifact`,
      );
    artifacts[0].sbom = {
      ...readSbom(at(sbom), sbom),
      ...(url ? { url } : {}),
    };
  } else if (url) {
    throw new UsageError('--sbom-url needs --sbom');
  }
  return {
    ...(coverage.length > 0 ? { coverage: addCoverage(coverage) } : {}),
    ...(tests.length > 0 ? { tests: addTests(tests) } : {}),
    ...(scans.length > 0 ? { scans: addScans(scans) } : {}),
    ...(artifacts.length > 0 ? { artifacts } : {}),
  };
}

/** Reports a build: what its tools said of it. Several reports of one pipeline are one build. */
export async function report(call: Call): Promise<number> {
  if (call.positionals.length > 0)
    throw new UsageError(
      `Say what ${call.positionals[0]} is: --coverage, --tests, --scan or --artifact`,
    );
  const git = new Git(call.cwd);
  const reports = readReports(call);
  const version = textOf(call.values, 'version');
  // A build whose tests fail has failed; nobody else may come to say so.
  const outcome =
    choiceOf(call.values, 'outcome', BUILD_OUTCOMES) ??
    (reports.tests?.some(suite => suite.failed > 0) ? 'failed' : undefined);
  const startedAt = timeOf(call, 'started');
  const finishedAt = timeOf(call, 'finished');
  const { source, base, url } = surroundingsOf(call, git);
  const commits = git.commits(
    textOf(call.values, 'since') ?? base,
    source.commit,
  );
  const build: BuildReport = {
    component: componentOf(call, git),
    ...(version ? { version } : {}),
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    ...(outcome ? { outcome } : {}),
    ...(commits.length > 0 ? { commits } : {}),
    ...reports,
    ...(url ? { url } : {}),
  };
  for (const line of summary(build)) call.output.info(line);
  return send(call, git, { source, builds: [build] });
}

function summary({ coverage, tests, scans, artifacts }: BuildReport): string[] {
  const lines: string[] = [];
  for (const [metric, counts] of Object.entries(coverage ?? {}))
    lines.push(`coverage: ${counts.covered} of ${counts.total} ${metric}`);
  for (const suite of tests ?? [])
    lines.push(
      `tests ${suite.name}: ${suite.passed} passed, ${suite.failed} failed, ${suite.skipped} skipped`,
    );
  for (const scan of scans ?? [])
    lines.push(
      `scan ${scan.tool}: ${scan.critical} critical, ${scan.high} high, ${scan.medium} medium, ${scan.low} low, ${scan.unknown} unknown`,
    );
  for (const artifact of artifacts ?? [])
    lines.push(
      `${artifact.type} ${artifact.name} ${artifact.digest}${
        artifact.sbom ? `, SBOM of ${artifact.sbom.components} components` : ''
      }`,
    );
  return lines;
}
