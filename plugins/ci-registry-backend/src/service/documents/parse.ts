import type { ApiFormat } from '@rocket/plugin-ci-registry-common';
import { buildSchema } from 'graphql';
import { LineCounter, parseDocument as parseYaml } from 'yaml';
import { findTreeProblem } from '../tree';

/** Tokens of a GraphQL document; far more than any real one has. */
const MAX_TOKENS = 200_000;
/** Uses of YAML aliases; documents that need more are made to blow up. */
const MAX_ALIASES = 100;

export interface ParsedDocument {
  /** The tree of an OpenAPI or AsyncAPI document. */
  tree?: Record<string, any>;
  /** What the document calls itself. */
  title?: string;
  /** For example `3.1.0`, of the format. */
  formatVersion?: string;
}

/** What is wrong with a definition, for people. */
export class DocumentProblem extends Error {}

/** Without recursion: the first `$ref` that leaves the document, and where. */
function externalReference(
  root: unknown,
): { path: string; ref: string } | undefined {
  const open: { value: unknown; path: string[] }[] = [
    { value: root, path: [] },
  ];
  for (let node = open.pop(); node; node = open.pop()) {
    const { value, path } = node;
    if (!value || typeof value !== 'object') continue;
    for (const [key, inner] of Object.entries(value)) {
      const isReference =
        /^\$(ref|dynamicRef|recursiveRef)$/.test(key) &&
        typeof inner === 'string';
      if (isReference && !inner.startsWith('#')) {
        return { path: path.join('.') || 'the document', ref: inner };
      }
      open.push({ value: inner, path: [...path, key] });
    }
  }
  return undefined;
}

function parseTree(definition: string): Record<string, any> {
  const lines = new LineCounter();
  // JSON is YAML, so one parser tells where an error is in both.
  const document = parseYaml(definition, {
    lineCounter: lines,
    uniqueKeys: true,
    logLevel: 'silent',
  });
  const [error] = document.errors;
  if (error) {
    const at = lines.linePos(error.pos[0]);
    throw new DocumentProblem(
      `is neither YAML nor JSON: line ${at.line}, column ${at.col}: ${
        error.message.split('\n')[0]
      }`,
    );
  }
  let tree: unknown;
  try {
    tree = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (failure) {
    throw new DocumentProblem(
      `cannot be read: ${
        (failure as Error).message
      }; write out what its aliases stand for`,
    );
  }
  if (!tree || typeof tree !== 'object' || Array.isArray(tree)) {
    throw new DocumentProblem('must be an object');
  }
  const problem = findTreeProblem(tree);
  if (problem) {
    throw new DocumentProblem(
      `${problem.path || 'the document'} ${problem.message}`,
    );
  }
  const outside = externalReference(tree);
  if (outside) {
    throw new DocumentProblem(
      `${outside.path} refers to ${outside.ref}, which lies outside the document and is never fetched; bundle it into one document`,
    );
  }
  return tree as Record<string, any>;
}

function parseTreeOf(
  format: 'openapi' | 'asyncapi',
  definition: string,
): ParsedDocument {
  const tree = parseTree(definition);
  const formatVersion = tree[format];
  const wanted = format === 'openapi' ? /^3\.\d+\.\d+/ : /^[23]\.\d+\.\d+/;
  if (typeof formatVersion !== 'string' || !wanted.test(formatVersion)) {
    throw new DocumentProblem(
      format === 'openapi'
        ? 'must have openapi: 3.0.x, 3.1.x or later 3.x at its top; convert Swagger 2.0 first'
        : 'must have asyncapi: 2.x.y or 3.x.y at its top',
    );
  }
  const title = tree.info?.title;
  if (typeof title !== 'string' || !title) {
    throw new DocumentProblem('must have a title in info');
  }
  return { tree, formatVersion, title };
}

/** `DocumentProblem` says what is wrong with it. Nothing outside of the text is read. */
export function parseDocument(
  format: ApiFormat,
  definition: string,
): ParsedDocument {
  if (format === 'openapi' || format === 'asyncapi') {
    return parseTreeOf(format, definition);
  }
  // Whatever the language, it has to be text that a database can hold.
  const problem = findTreeProblem(definition);
  if (problem) throw new DocumentProblem(problem.message);
  if (format === 'graphql') {
    try {
      buildSchema(definition, { maxTokens: MAX_TOKENS });
    } catch (failure) {
      const { message, locations } = failure as {
        message: string;
        locations?: { line: number; column: number }[];
      };
      const at = locations?.[0];
      throw new DocumentProblem(
        `is not a GraphQL schema${
          at ? `: line ${at.line}, column ${at.column}` : ''
        }: ${message}`,
      );
    }
  }
  return {};
}
