/** Values that an expression may read: `github.sha`, `vars.X`, `needs.job.result` and the like. */
export type Context = Record<string, unknown>;

type Token = { kind: 'name' | 'text' | 'sign' | 'end'; text: string };

function tokens(source: string): Token[] {
  const all: Token[] = [];
  const pattern =
    /\s*(?:([A-Za-z_][\w-]*(?:\.[\w*-]+)*)|'((?:[^']|'')*)'|(==|!=|&&|\|\||[!()])|(\S))/gy;
  for (let match = pattern.exec(source); match; match = pattern.exec(source)) {
    const [, name, text, sign, other] = match;
    if (other !== undefined)
      throw new Error(`${source}: ${other} is not understood`);
    if (name !== undefined) all.push({ kind: 'name', text: name });
    else if (sign !== undefined) all.push({ kind: 'sign', text: sign });
    else all.push({ kind: 'text', text: text.replaceAll("''", "'") });
  }
  return [...all, { kind: 'end', text: '' }];
}

function look(context: Context, name: string): unknown {
  return name.split('.').reduce<any>((value, part) => value?.[part], context);
}

/** As GitHub compares: null, false and the empty text are the same nothing. */
const same = (a: unknown, b: unknown) => (a ?? '') === (b ?? '');

/**
 * The value of an expression of GitHub Actions, as far as our pipelines use them: names, texts, `==`, `!=`, `!`, `&&`, `||`, brackets,
 * `cancelled()`, `always()` and `failure()`. Throws for anything else.
 */
export function evaluate(source: string, context: Context): unknown {
  const list = tokens(source);
  let at = 0;
  const sign = (text: string) =>
    list[at].kind === 'sign' && list[at].text === text && (at += 1) > 0;
  function primary(): unknown {
    if (sign('!')) return !primary();
    if (sign('(')) {
      const value = either();
      if (!sign(')')) throw new Error(`${source}: a bracket is not closed`);
      return value;
    }
    const token = list[at];
    at += 1;
    if (token.kind === 'text') return token.text;
    if (token.kind !== 'name')
      throw new Error(`${source}: ${token.text || 'its end'} is unexpected`);
    if (!sign('(')) return look(context, token.text);
    if (!sign(')')) throw new Error(`${source}: ${token.text} takes nothing`);
    if (token.text === 'always') return true;
    if (token.text === 'cancelled') return false;
    if (token.text === 'failure') return look(context, 'failed') === true;
    throw new Error(`${source}: there is no ${token.text}()`);
  }
  function comparison(): unknown {
    const left = primary();
    if (sign('==')) return same(left, primary());
    if (sign('!=')) return !same(left, primary());
    return left;
  }
  function both(): unknown {
    let value = comparison();
    while (sign('&&')) {
      const right = comparison();
      value = value && right;
    }
    return value;
  }
  function either(): unknown {
    let value = both();
    while (sign('||')) {
      const right = both();
      value = value || right;
    }
    return value;
  }
  const value = either();
  if (list[at].kind !== 'end')
    throw new Error(`${source}: ${list[at].text} is unexpected`);
  return value;
}

/** A text with its `${{ … }}` filled in. */
export function fill(text: string, context: Context): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, source) =>
    String(evaluate(source, context) ?? ''),
  );
}
