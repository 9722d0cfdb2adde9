import type {
  Json,
  WorkflowCheck,
  WorkflowExtract,
  WorkflowStatusCode,
  WorkflowVariable,
} from './workflow';

/** The variables of a run, by name. */
export type WorkflowValues = Record<string, Json>;

/** What came back, as checks and extractions read it. */
export interface WorkflowAnswer {
  status: number;
  /** Names in lower case; several values are joined by `, `. */
  headers: Record<string, string>;
  body: string;
  latencyMs: number;
}

/** How one check turned out. */
export interface WorkflowCheckResult {
  /** What was expected, for example `json /state equals "POSTED"`. */
  check: string;
  passed: boolean;
  /** What was found; at most 200 characters. */
  found: string;
}

const PLACEHOLDER = /\{\{\s*([a-zA-Z][a-zA-Z0-9_]*)\s*\}\}/g;
const WHOLE_PLACEHOLDER = /^\{\{\s*([a-zA-Z][a-zA-Z0-9_]*)\s*\}\}$/;
const SHOWN = 200;

/** True for decimal text such as `-12.50`, of at most 40 digits. */
export function isDecimal(value: string): boolean {
  return /^-?\d{1,20}(\.\d{1,20})?$/.test(value);
}

/** Names of the variables that are used anywhere in a value. */
export function variablesIn(value: Json | undefined): string[] {
  const found = new Set<string>();
  for (const match of (JSON.stringify(value) ?? '').matchAll(PLACEHOLDER)) {
    found.add(match[1]);
  }
  return [...found];
}

/** How a value is written inside a text. */
export function asText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function valueOf(name: string, values: WorkflowValues): Json {
  if (!Object.hasOwn(values, name)) {
    throw new Error(`the variable ${name} has no value`);
  }
  return values[name];
}

/**
 * Puts the values of variables into a text.
 *
 * @param encode - applied to each value, for example `encodeURIComponent`
 * @throws Error that names a variable without a value
 */
export function fillText(
  template: string,
  values: WorkflowValues,
  encode: (value: string) => string = value => value,
): string {
  return template.replace(PLACEHOLDER, (_, name) =>
    encode(asText(valueOf(name, values))),
  );
}

/**
 * Puts the values of variables into every text of a JSON value. A text that is
 * nothing but one variable becomes its value, whatever its type.
 */
export function fillJson(template: Json, values: WorkflowValues): Json {
  if (typeof template === 'string') {
    const whole = WHOLE_PLACEHOLDER.exec(template);
    return whole ? valueOf(whole[1], values) : fillText(template, values);
  }
  if (Array.isArray(template)) {
    return template.map(item => fillJson(item, values));
  }
  if (template !== null && typeof template === 'object') {
    return Object.fromEntries(
      Object.entries(template).map(([key, item]) => [
        key,
        fillJson(item, values),
      ]),
    );
  }
  return template;
}

/** A path with its variables filled in; a value never adds a segment. */
export function fillPath(template: string, values: WorkflowValues): string {
  const filled = fillText(template, values, encodeURIComponent);
  if (filled.split('/').some(part => /^(\.|%2e){1,2}$/i.test(part))) {
    throw new Error(`the path ${filled} must not hold . or .. as a segment`);
  }
  return filled;
}

/** The value that a JSON pointer (RFC 6901) points to; undefined when there is none. */
export function readPointer(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replace(/~1/g, '/').replace(/~0/g, '~');
    if (Array.isArray(value)) {
      value = /^(0|[1-9]\d*)$/.test(key) ? value[Number(key)] : undefined;
    } else if (value !== null && typeof value === 'object') {
      value = Object.hasOwn(value, key) ? value[key] : undefined;
    } else {
      return undefined;
    }
  }
  return value;
}

function equal(a: Json, b: Json): boolean {
  if (a === null || b === null || typeof a !== 'object') {
    return a === b;
  }
  if (typeof b !== 'object' || Array.isArray(a) !== Array.isArray(b)) {
    return false;
  }
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      key =>
        Object.hasOwn(b, key) &&
        equal(
          (a as Record<string, Json>)[key],
          (b as Record<string, Json>)[key],
        ),
    )
  );
}

/**
 * Compares two decimals exactly: -1, 0 or 1; undefined when one of them is no
 * number. Money as text must not go through floating point.
 */
export function compareDecimals(a: Json, b: Json): number | undefined {
  const [left, right] = [a, b].map(value =>
    typeof value === 'number' || typeof value === 'string' ? String(value) : '',
  );
  if (!isDecimal(left) || !isDecimal(right)) {
    return undefined;
  }
  const decimals = Math.max(
    ...[left, right].map(value => value.split('.')[1]?.length ?? 0),
  );
  const [x, y] = [left, right].map(value => {
    const [integer, fraction = ''] = value.split('.');
    return BigInt(integer + fraction.padEnd(decimals, '0'));
  });
  if (x === y) {
    return 0;
  }
  return x < y ? -1 : 1;
}

/** At most 200 characters. */
export function shorten(value: string): string {
  return value.length > SHOWN ? `${value.slice(0, SHOWN - 1)}…` : value;
}

function matchesStatus(status: number, wanted: WorkflowStatusCode): boolean {
  return typeof wanted === 'number'
    ? status === wanted
    : String(status)[0] === wanted[0];
}

function compare(
  check: WorkflowCheck,
  found: Json | undefined,
  values: WorkflowValues,
): { text: string; passed: boolean } {
  const [[kind, template]] = Object.entries(check).filter(
    ([key, value]) => key !== 'json' && key !== 'header' && value !== undefined,
  ) as [string, Json][];
  const filled = fillJson(template, values);
  const expected = check.header === undefined ? filled : asText(filled);
  const text = (word: string) => `${word} ${shorten(JSON.stringify(expected))}`;
  const there = found !== undefined;
  switch (kind) {
    case 'exists':
      return {
        text: filled ? 'exists' : 'does not exist',
        passed: there === filled,
      };
    case 'equals':
      return { text: text('equals'), passed: there && equal(found, expected) };
    case 'notEquals':
      return {
        text: text('differs from'),
        passed: there && !equal(found, expected),
      };
    case 'contains':
      return {
        text: text('contains'),
        passed:
          (typeof found === 'string' && found.includes(asText(expected))) ||
          (Array.isArray(found) && found.some(item => equal(item, expected))),
      };
    case 'startsWith':
      return {
        text: text('starts with'),
        passed: typeof found === 'string' && found.startsWith(asText(expected)),
      };
    default: {
      const order = there ? compareDecimals(found, expected) : undefined;
      return {
        text: text(kind === 'atLeast' ? 'is at least' : 'is at most'),
        passed:
          order !== undefined && (kind === 'atLeast' ? order >= 0 : order <= 0),
      };
    }
  }
}

function parseBody(body: string): { value?: Json; error?: string } {
  try {
    return { value: JSON.parse(body) };
  } catch {
    return {
      error: body === '' ? 'the answer is empty' : 'the answer is not JSON',
    };
  }
}

/**
 * Holds one check against an answer.
 *
 * @param show - takes secrets out of what was found, before it is cut
 */
export function checkAnswer(
  check: WorkflowCheck,
  answer: WorkflowAnswer,
  values: WorkflowValues,
  show: (found: string) => string = found => found,
): WorkflowCheckResult {
  if (check.status !== undefined) {
    const wanted = [check.status].flat();
    return {
      check: `status is ${wanted.join(' or ')}`,
      passed: wanted.some(code => matchesStatus(answer.status, code)),
      found: String(answer.status),
    };
  }
  if (check.latencyMs !== undefined) {
    return {
      check: `answered within ${check.latencyMs} ms`,
      passed: answer.latencyMs <= check.latencyMs,
      found: `${Math.round(answer.latencyMs)} ms`,
    };
  }
  if (check.header !== undefined) {
    const found = answer.headers[check.header.toLowerCase()];
    const { text, passed } = compare(check, found, values);
    return {
      check: `header ${check.header} ${text}`,
      passed,
      found: found === undefined ? 'missing' : shorten(show(found)),
    };
  }
  const { value, error } = parseBody(answer.body);
  const found =
    error === undefined ? readPointer(value!, check.json!) : undefined;
  const { text, passed } = compare(check, found, values);
  return {
    check: `json ${check.json || 'body'} ${text}`,
    passed: passed && error === undefined,
    found:
      error ??
      (found === undefined ? 'missing' : shorten(show(JSON.stringify(found)))),
  };
}

/**
 * Reads the value of a variable out of an answer.
 *
 * @throws Error that says what is missing
 */
export function extractValue(
  extract: WorkflowExtract,
  answer: WorkflowAnswer,
): Json {
  if (extract.header !== undefined) {
    const found = answer.headers[extract.header.toLowerCase()];
    if (found === undefined) {
      throw new Error(`the answer has no header ${extract.header}`);
    }
    if (extract.after === undefined) {
      return found;
    }
    const at = found.lastIndexOf(extract.after);
    if (at < 0) {
      throw new Error(
        `the header ${extract.header} does not hold ${JSON.stringify(
          extract.after,
        )}`,
      );
    }
    return found.slice(at + extract.after.length);
  }
  const { value, error } = parseBody(answer.body);
  if (error !== undefined) {
    throw new Error(error);
  }
  const found = readPointer(value!, extract.json!);
  if (found === undefined) {
    throw new Error(`the answer has nothing at ${extract.json}`);
  }
  return found;
}

/** A random decimal as text from `min` to `max`, both included. */
function randomAmount(min: string, max: string, random: () => number): string {
  const decimals = Math.max(
    ...[min, max].map(value => value.split('.')[1]?.length ?? 0),
  );
  const scaled = (value: string) => {
    const [integer, fraction = ''] = value.split('.');
    return BigInt(integer + fraction.padEnd(decimals, '0'));
  };
  const low = scaled(min);
  const steps = scaled(max) - low + 1n;
  // 2^52 values are enough for a synthetic amount, whatever its range.
  const drawn = BigInt(Math.floor(random() * 2 ** 52));
  const value = low + (steps * drawn) / 2n ** 52n;
  const digits = (value < 0n ? -value : value)
    .toString()
    .padStart(decimals + 1, '0');
  const sign = value < 0n ? '-' : '';
  return decimals === 0
    ? `${sign}${digits}`
    : `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** The variables of a run at its start. */
export function startValues(
  variables: Record<string, WorkflowVariable>,
  run: { runId: string; startedAt: string },
  source: { uuid: () => string; random: () => number },
): WorkflowValues {
  const values: WorkflowValues = { ...run };
  for (const [name, variable] of Object.entries(variables)) {
    if ('value' in variable) {
      values[name] = variable.value;
    } else if (variable.generate === 'amount') {
      values[name] = randomAmount(variable.min, variable.max, source.random);
    } else {
      values[name] =
        variable.generate === 'uuid' ? source.uuid() : run.startedAt;
    }
  }
  return values;
}
