/** A value of HCL: `Expression` is written as it is, everything else as a literal. */
export type HclValue =
  | string
  | number
  | boolean
  | Expression
  | HclValue[]
  | undefined
  | null;

/** HCL that is written in the source code, never made of input. */
export class Expression {
  constructor(readonly text: string) {}
}

/** A block: attributes first, then the blocks within. */
export interface Block {
  type: string;
  labels?: string[];
  attributes?: Record<string, HclValue>;
  blocks?: Block[];
}

const CONTROL: Record<string, string> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** A quoted string: quotes, backslashes, controls and the two openers of a template (`${`, `%{`) are escaped. */
export function hclString(text: string): string {
  const escaped = text
    .replace(/[\\"]/g, '\\$&')
    .replace(/[$%]\{/g, opener => `${opener[0]}${opener}`)
    .replace(
      // eslint-disable-next-line no-control-regex
      /[\u0000-\u001f\u007f\u0085\u2028\u2029]/g,
      character =>
        CONTROL[character] ??
        `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
    );
  return `"${escaped}"`;
}

function hclValue(value: Exclude<HclValue, undefined | null>): string {
  if (value instanceof Expression) return value.text;
  if (Array.isArray(value)) {
    return `[${value
      .filter(item => item !== undefined && item !== null)
      .map(item => hclValue(item as never))
      .join(', ')}]`;
  }
  if (typeof value === 'string') return hclString(value);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new Error(`${value} is no number of HCL`);
  }
  return String(value);
}

/** Words as HCL takes them for names: letters, digits, `_` and `-`, not beginning with a digit. */
export function hclName(text: string): string {
  const name = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^[a-z]/.test(name) ? name : `r_${name}`;
}

function writeBlock(block: Block, indent: string): string {
  const { type, labels = [], attributes = {}, blocks = [] } = block;
  const head = [type, ...labels.map(hclString)].join(' ');
  const entries = Object.entries(attributes).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  const lines = entries.map(
    ([name, value]) =>
      `${indent}  ${name.padEnd(width)} = ${hclValue(value as never)}`,
  );
  const inner = blocks.map(nested => writeBlock(nested, `${indent}  `));
  const body = [lines.join('\n'), ...inner].filter(Boolean).join('\n\n');
  return `${indent}${head} {\n${body}\n${indent}}`;
}

/** Blocks as a file, formatted as `terraform fmt` does. */
export function writeHcl(comment: string, blocks: Block[]): string {
  const head = comment
    .split(/\r?\n/)
    .map(line => `# ${line}`.trimEnd())
    .join('\n');
  return `${head}\n\n${blocks
    .map(block => writeBlock(block, ''))
    .join('\n\n')}\n`;
}
