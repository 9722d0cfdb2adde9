import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { InputFileError } from '../errors';

/** Deeper than any report nests. */
const MAX_DEPTH = 100;
const CHUNK = 64 * 1024;

export type Attributes = Record<string, string>;

/**
 * Reads XML with a parser that knows no entities but the five of XML itself. A document type may be named, as JaCoCo does, and is not
 * read; one that declares anything is refused.
 *
 * @param shown - stands in errors
 * @throws InputFileError that names line and column
 */
export function readXml(
  text: string,
  shown: string,
  handle: {
    /** `path` holds the names of the elements around it and its own last. */
    open(name: string, attributes: Attributes, path: string[]): void;
    close?(name: string, path: string[]): void;
  },
): void {
  const parser = new SaxesParser({ xmlns: false });
  const path: string[] = [];
  const fail = (problem: string): never => {
    throw new InputFileError(
      `${shown}:${parser.line}:${parser.column + 1}`,
      problem,
    );
  };
  parser.on('error', error => {
    fail(error.message.replace(/^\d+:\d+:\s*/, '').replace(/\s+/g, ' '));
  });
  parser.on('doctype', doctype => {
    if (/\[|<!ENTITY/i.test(doctype))
      fail('declares a document type of its own, which no report needs');
  });
  parser.on('opentag', (tag: SaxesTagPlain) => {
    const name = tag.name.replace(/^.*:/, '');
    path.push(name);
    if (path.length > MAX_DEPTH)
      fail(`is nested deeper than ${MAX_DEPTH} elements`);
    handle.open(name, tag.attributes, path);
  });
  parser.on('closetag', () => {
    const name = path[path.length - 1];
    handle.close?.(name, path);
    path.pop();
  });
  for (let at = 0; at < text.length; at += CHUNK)
    parser.write(text.slice(at, at + CHUNK));
  parser.close();
}

/** Name of the document's element; undefined when the text is no XML. */
export function rootOf(text: string): string | undefined {
  const start = text.slice(0, 4096).replace(/^\uFEFF/, '');
  if (!/^\s*</.test(start)) return undefined;
  return /<([A-Za-z_][\w.:-]*)/
    .exec(
      start.replace(/<\?[^]*?\?>|<!--[^]*?-->/g, '').replace(/<![^>]*>/g, ''),
    )?.[1]
    ?.replace(/^.*:/, '');
}

/** A count in an attribute: a whole number of 0 or more. */
export function count(
  attributes: Attributes,
  name: string,
  shown: string,
): number | undefined {
  const text = attributes[name];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InputFileError(
      shown,
      `${name} must be a whole number of 0 or more, was ${JSON.stringify(
        text,
      )}`,
    );
  return value;
}
