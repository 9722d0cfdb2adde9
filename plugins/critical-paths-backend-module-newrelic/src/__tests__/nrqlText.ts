/** NRQL with its string literals taken out: each one is a `?` in the skeleton. */
export function splitLiterals(text: string): {
  skeleton: string;
  literals: string[];
} {
  let skeleton = '';
  const literals: string[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== `'`) {
      skeleton += text[i];
      continue;
    }
    let value = '';
    for (i += 1; text[i] !== `'`; i++) {
      if (i >= text.length) throw new Error('a literal does not end');
      if (text[i] === '\\') i += 1;
      value += text[i];
    }
    literals.push(value);
    skeleton += '?';
  }
  return { skeleton, literals };
}

/** What a query of the module asks for, read back from its text. */
export function readQuery(nrql: string) {
  const list = (attribute: string) => {
    const match = new RegExp(
      `${attribute} IN \\(((?:'(?:\\\\.|[^'\\\\])*'(?:, )?)+)\\)`,
    ).exec(nrql);
    return match ? splitLiterals(match[1]).literals : [];
  };
  return {
    apps: list('appName'),
    paths: list('criticalPath'),
    names: list('name'),
    columns: [...nrql.matchAll(/ AS '(\w+)'/g)].map(match => match[1]),
    step: nrql.includes('TIMESERIES 1 minute') ? 60 : 3600,
    from: Number(/SINCE (\d+)/.exec(nrql)![1]) / 1000,
    to: Number(/UNTIL (\d+)/.exec(nrql)![1]) / 1000,
  };
}

/** A row as New Relic would give it for requests with these durations, all good. */
export function rowOf(
  nrql: string,
  facet: string[],
  start: number,
  durationsMs: number[],
): Record<string, unknown> {
  const { columns, step } = readQuery(nrql);
  const row: Record<string, unknown> = {
    facet,
    beginTimeSeconds: start,
    endTimeSeconds: start + step,
  };
  for (const column of columns) {
    const bound = new RegExp(`duration <= ([0-9.]+)\\) AS '${column}'`).exec(
      nrql,
    );
    row[column] = durationsMs.filter(
      ms => !bound || ms <= Number(bound[1]) * 1000,
    ).length;
  }
  return row;
}
