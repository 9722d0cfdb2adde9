import {
  type Document,
  LineCounter,
  type Node,
  type ParsedNode,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  parseAllDocuments,
} from 'yaml';
import { InputFileError } from '../errors';
import { readBounded } from '../files';
import type { Problem } from './problems';

/** Bounds of one catalog file; those of the registry where it has one. */
export const LIMITS = {
  bytes: 5 * 1024 * 1024,
  documents: 1000,
  /** Levels of nesting. */
  depth: 40,
  /** Nodes that aliases may add. */
  aliases: 100,
};

export type FieldPath = (string | number)[];

/** One YAML document of a catalog file, with the way back to its lines. */
export interface CatalogDocument {
  /** As it is shown. */
  file: string;
  /** Where it lies. */
  path: string;
  /** Counts from 0 in its file. */
  index: number;
  value: unknown;
  /** Line and column, from 1, of a field; of the nearest one around it when it is missing. */
  locate(field: FieldPath): { line: number; column: number };
}

/** The documents of a file; problems instead of those that cannot be read. */
export function readDocuments(
  path: string,
  shown: string,
): { documents: CatalogDocument[]; problems: Problem[] } {
  let text: string;
  try {
    text = readBounded(path, LIMITS.bytes, shown).text();
  } catch (error) {
    if (!(error instanceof InputFileError)) throw error;
    const message = error.message.slice(shown.length + 2);
    return {
      documents: [],
      problems: [
        {
          file: shown,
          line: 1,
          column: 1,
          severity: 'error',
          rule: 'file',
          message,
        },
      ],
    };
  }
  return parseDocuments(text, path, shown);
}

/** As {@link readDocuments}, of a text that was read already. */
export function parseDocuments(
  text: string,
  path: string,
  shown: string,
): { documents: CatalogDocument[]; problems: Problem[] } {
  const counter = new LineCounter();
  const problems: Problem[] = [];
  const complain = (
    rule: string,
    message: string,
    offset: number | undefined,
    severity: Problem['severity'] = 'error',
  ) => {
    const { line, col } = counter.linePos(offset ?? 0);
    problems.push({
      file: shown,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      severity,
      rule,
      message,
    });
  };
  let parsed: Document.Parsed<ParsedNode>[];
  try {
    if (tooDeep(text)) throw new RangeError('too deep');
    const all = parseAllDocuments(text, {
      merge: true,
      prettyErrors: false,
      lineCounter: counter,
    });
    parsed = Array.isArray(all) ? (all as Document.Parsed<ParsedNode>[]) : [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    complain('limit', `is nested deeper than ${LIMITS.depth} levels`, 0);
    return { documents: [], problems };
  }
  if (parsed.length > LIMITS.documents) {
    complain('limit', `holds more than ${LIMITS.documents} documents`, 0);
    return { documents: [], problems };
  }
  const documents: CatalogDocument[] = [];
  for (const [index, document] of parsed.entries()) {
    for (const error of document.errors)
      complain('yaml', oneLine(error.message), error.pos[0]);
    for (const warning of document.warnings)
      complain('yaml', oneLine(warning.message), warning.pos[0], 'warning');
    if (document.errors.length > 0) continue;
    const start = document.contents?.range?.[0] ?? document.range[0];
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: LIMITS.aliases });
      if (depthOf(value) > LIMITS.depth) throw new RangeError('too deep');
    } catch (error) {
      if (error instanceof RangeError)
        complain(
          'limit',
          `is nested deeper than ${LIMITS.depth} levels`,
          start,
        );
      else if (/alias count/i.test((error as Error).message))
        complain(
          'limit',
          `its aliases make more than ${LIMITS.aliases} copies; write out what they stand for`,
          start,
        );
      else complain('yaml', oneLine((error as Error).message), start);
      continue;
    }
    // An empty document is what stands after a last `---`.
    if (value === null || value === undefined) continue;
    documents.push({
      file: shown,
      path,
      index,
      value,
      locate(field) {
        const { line, col } = counter.linePos(offsetOf(document, field, start));
        return { line: Math.max(line, 1), column: Math.max(col, 1) };
      },
    });
  }
  return { documents, problems };
}

function oneLine(message: string): string {
  return message.replace(/\s+/g, ' ').trim();
}

/** Brackets alone cannot nest far deeper than anything real; the parser would recurse into them. */
function tooDeep(text: string): boolean {
  if (/[[{]{200}|(?:^|\n)(?:[ ]*[-?:] ){200}/.test(text)) return true;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 0x5b || c === 0x7b) depth += 1;
    else if ((c === 0x5d || c === 0x7d) && depth > 0) depth -= 1;
    // Also an unbalanced one in a text counts: far more than a real file has.
    if (depth > 5_000) return true;
  }
  return false;
}

/** Levels of nesting, without recursion. */
function depthOf(root: unknown): number {
  let deepest = 0;
  const open: [unknown, number][] = [[root, 0]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [value, depth] = next;
    deepest = Math.max(deepest, depth);
    if (deepest > LIMITS.depth) return deepest;
    if (value && typeof value === 'object')
      for (const item of Object.values(value)) open.push([item, depth + 1]);
  }
  return deepest;
}

/** Where the field begins: its key in a mapping, its value in a list; the deepest part of the path that exists. */
function offsetOf(
  document: Document.Parsed<ParsedNode>,
  field: FieldPath,
  start: number,
): number {
  let node: unknown = document.contents;
  let offset = start;
  for (const part of field) {
    if (isMap(node)) {
      const pair = node.items.find(
        item =>
          isPair(item) &&
          String(isScalar(item.key) ? item.key.value : item.key) ===
            String(part),
      );
      if (!pair) return offset;
      offset = (pair.key as Node | null)?.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)];
      if (!isNode(item)) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else {
      return offset;
    }
  }
  return offset;
}
