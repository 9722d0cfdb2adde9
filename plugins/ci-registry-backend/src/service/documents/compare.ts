import { Worker } from 'node:worker_threads';
import type { ApiChange, ApiFormat } from '@rocket/plugin-ci-registry-common';
import { classify, locationOf, type TreeDiff } from './classify';
import { parseDocument } from './parse';

/** What two versions of a document differ in, or why that is not known. */
export type Comparison =
  | { changes: ApiChange[] }
  | { changes: null; notCompared: string };

/** One version of a document. */
export interface Compared {
  format: ApiFormat;
  definition: string;
}

/** Differences that are kept; what comes after the worst ones is counted. */
const MAX_CHANGES = 500;
/** References can make a small document huge: the comparison is ended then, and nothing else waits for it. */
const LIMITS = { maxOldGenerationSizeMb: 384, stackSizeMb: 8 };

const RANK = { breaking: 0, warning: 1, compatible: 2 };

/** What a comparison is started with, and what it answers, in its thread. */
type Work =
  | { library: 'api-smart-diff' | '@asyncapi/diff'; trees: [object, object] }
  | { library: 'graphql'; texts: [string, string] };

/**
 * The comparison as it runs in a thread of its own. It is given paths of libraries and plain data and has no other means; none of the
 * libraries reads files or addresses when it is given trees.
 */
const THREAD = `
  const { parentPort, workerData: { work, path } } = require('node:worker_threads');
  const library = require(path);
  const plain = ({ action, type, path, before, after, description }) => ({
    action, type, path,
    ...Object.fromEntries(Object.entries({ before, after }).filter(([, value]) => value === null || typeof value !== 'object' ||
      (Array.isArray(value) && value.length <= 20 && value.every(item => typeof item === 'string')))),
    description,
  });
  let found;
  if (work.library === 'graphql') {
    const [before, after] = work.texts.map(text => library.buildSchema(text));
    found = [
      ...library.findBreakingChanges(before, after).map(change => ({ ...change, severity: 'breaking' })),
      ...library.findDangerousChanges(before, after).map(change => ({ ...change, severity: 'warning' })),
    ].map(({ severity, type, description }) => ({ severity, type, description }));
  } else if (work.library === '@asyncapi/diff') {
    found = library.diff(...work.trees).getOutput().changes.map(({ action, path, type }) => ({ action, path, type }));
  } else {
    found = library.apiCompare(...work.trees).diffs.map(plain);
  }
  parentPort.postMessage(found);
`;

/** Comparisons at a time in this process; the others wait. */
const MAX_THREADS = 2;
let threads = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (threads < MAX_THREADS) threads += 1;
  // Whoever ends hands its place over.
  else await new Promise<void>(resolve => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else threads -= 1;
  }
}

function inThread(work: Work, timeoutMs: number): Promise<any[]> {
  const worker = new Worker(THREAD, {
    eval: true,
    workerData: { work, path: require.resolve(work.library) },
    resourceLimits: LIMITS,
    // Nothing of the backend's environment or output.
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
  });
  return new Promise<any[]>((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(new Error(`it took longer than ${timeoutMs / 1000} seconds`)),
      timeoutMs,
    );
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('it ended without a result')));
    worker.once('exit', () => clearTimeout(timer));
  }).finally(() => void worker.terminate());
}

const GRAPHQL_MESSAGE = /^([A-Z_]+)$/;

function ofGraphql(
  found: {
    severity: 'breaking' | 'warning';
    type: string;
    description: string;
  }[],
): ApiChange[] {
  return found.map(({ severity, type, description }) => ({
    severity,
    // The descriptions begin with the place or name it, `Query.account was removed.`
    location: /\b([A-Z_a-z]\w*(?:\.\w+)*)\b/.exec(description)?.[1] ?? 'schema',
    message: GRAPHQL_MESSAGE.test(type)
      ? description
      : `${type}: ${description}`,
  }));
}

function ofAsyncApi3(
  found: { action: string; path: string; type: string }[],
): ApiChange[] {
  const severities = {
    breaking: 'breaking',
    'non-breaking': 'compatible',
  } as const;
  return found.map(({ action, path, type }) => ({
    severity: severities[type as keyof typeof severities] ?? 'warning',
    location: locationOf(
      path
        .split('/')
        .slice(1)
        .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~')),
      [],
    ),
    message: `${action} ${path.split('/').at(-1)}`,
  }));
}

function workOf(before: Compared, after: Compared): Work | string {
  const { format } = after;
  if (before.format !== format) {
    return `the version before was ${before.format}`;
  }
  if (format === 'grpc') {
    return 'Protocol Buffers are not compared; buf breaking does that in the pipeline';
  }
  if (format === 'graphql') {
    return { library: 'graphql', texts: [before.definition, after.definition] };
  }
  const [old, now] = [before, after].map(({ definition }) =>
    parseDocument(format, definition),
  );
  const trees: [object, object] = [old.tree!, now.tree!];
  if (format === 'openapi') return { library: 'api-smart-diff', trees };
  const major = (version: string) => version.split('.')[0];
  if (major(old.formatVersion!) !== major(now.formatVersion!)) {
    return `AsyncAPI ${old.formatVersion} and ${now.formatVersion} name their parts differently`;
  }
  return {
    library:
      major(now.formatVersion!) === '2' ? 'api-smart-diff' : '@asyncapi/diff',
    trees,
  };
}

/** The worst first, each one once, and not more than are kept. */
function tidy(changes: ApiChange[]): ApiChange[] {
  const known = new Set<string>();
  const unique = changes.filter(change => {
    const text = JSON.stringify(change);
    return !known.has(text) && known.add(text);
  });
  unique.sort((a, b) => RANK[a.severity] - RANK[b.severity]);
  if (unique.length <= MAX_CHANGES) return unique;
  const rest = unique.slice(MAX_CHANGES - 1);
  return [
    ...unique.slice(0, MAX_CHANGES - 1),
    {
      severity: rest[0].severity,
      location: 'document',
      message: `and ${rest.length} more differences`,
    },
  ];
}

/** Compares two versions; never fails, and says why there is no answer. */
export async function compareDocuments(
  before: Compared,
  after: Compared,
  options: { timeoutMs: number },
): Promise<Comparison> {
  try {
    const work = workOf(before, after);
    if (typeof work === 'string') return { changes: null, notCompared: work };
    const found = await inTurn(() => inThread(work, options.timeoutMs));
    if (work.library === 'graphql') return { changes: tidy(ofGraphql(found)) };
    if (work.library === '@asyncapi/diff') {
      return { changes: tidy(ofAsyncApi3(found)) };
    }
    return { changes: tidy(classify(found as TreeDiff[], work.trees)) };
  } catch (error) {
    return {
      changes: null,
      notCompared: `the comparison did not work out: ${
        (error as Error).message.split('\n')[0]
      }`,
    };
  }
}
