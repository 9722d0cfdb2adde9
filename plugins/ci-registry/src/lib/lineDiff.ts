/** One line of two texts laid side by side. */
export interface DiffLine {
  kind: 'same' | 'removed' | 'added';
  text: string;
}

/** Beyond this many pairs of lines the middle is taken as wholly replaced, so that no page hangs. */
const MAX_PAIRS = 1_000_000;

/** The lines that stay, go and come, by the longest common subsequence. Either text may be missing. */
export function diffLines(before?: string, after?: string): DiffLine[] {
  const old = before === undefined ? [] : before.split('\n');
  const now = after === undefined ? [] : after.split('\n');
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start])
    start += 1;
  let end = 0;
  while (
    end < old.length - start &&
    end < now.length - start &&
    old[old.length - 1 - end] === now[now.length - 1 - end]
  )
    end += 1;
  const line = (kind: DiffLine['kind']) => (text: string) => ({ kind, text });
  return [
    ...old.slice(0, start).map(line('same')),
    ...diffMiddle(
      old.slice(start, old.length - end),
      now.slice(start, now.length - end),
    ),
    ...old.slice(old.length - end).map(line('same')),
  ];
}

function diffMiddle(old: string[], now: string[]): DiffLine[] {
  const lines: DiffLine[] = [];
  if (old.length * now.length > MAX_PAIRS) {
    old.forEach(text => lines.push({ kind: 'removed', text }));
    now.forEach(text => lines.push({ kind: 'added', text }));
    return lines;
  }
  // longest[i][j]: length of the longest common subsequence of old from i on and now from j on.
  const longest = Array.from({ length: old.length + 1 }, () =>
    new Array<number>(now.length + 1).fill(0),
  );
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      longest[i][j] =
        old[i] === now[j]
          ? longest[i + 1][j + 1] + 1
          : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push({ kind: 'same', text: old[i] });
      i += 1;
      j += 1;
    } else if (
      j >= now.length ||
      (i < old.length && longest[i + 1][j] >= longest[i][j + 1])
    ) {
      lines.push({ kind: 'removed', text: old[i] });
      i += 1;
    } else {
      lines.push({ kind: 'added', text: now[j] });
      j += 1;
    }
  }
  return lines;
}

/** A value as text with one part per line, so that two can be compared. */
export function valueText(value: unknown): string | undefined {
  if (value === undefined) {
    return undefined;
  }
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

/** A JSON Pointer (RFC 6901) as people read it: `spec › owner`. */
export function readablePath(pointer: string): string {
  if (pointer === '') {
    return 'whole entity';
  }
  return pointer
    .slice(1)
    .split('/')
    .map(part => part.replace(/~1/g, '/').replace(/~0/g, '~'))
    .join(' › ');
}

/** One row of a diff side by side: what was left, what is right; `hidden` counts equal lines left out. */
export interface DiffRow {
  left?: DiffLine;
  right?: DiffLine;
  hidden?: number;
}

/** Equal lines shown around what changed. */
const CONTEXT = 3;

/** The rows of a diff side by side, long stretches of equal lines left out. */
export function sideBySide(lines: DiffLine[]): DiffRow[] {
  const rows: DiffRow[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); i += 1) {
      rows.push({ left: removed[i], right: added[i] });
    }
    removed = [];
    added = [];
  };
  const isChange = (line?: DiffLine) =>
    line !== undefined && line.kind !== 'same';
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i];
    if (line.kind === 'removed') {
      removed.push(line);
    } else if (line.kind === 'added') {
      added.push(line);
    } else {
      flush();
      const near = lines
        .slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1)
        .some(isChange);
      const last = rows[rows.length - 1];
      if (near) {
        rows.push({ left: line, right: line });
      } else if (last?.hidden) {
        last.hidden += 1;
      } else {
        rows.push({ hidden: 1 });
      }
    }
  }
  flush();
  return rows;
}
