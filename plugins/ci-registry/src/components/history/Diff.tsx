import { useMemo } from 'react';
import type { FieldChange } from '@rocket/plugin-ci-registry-common';
import { paletteClass, useElementWidth } from '@rocket/rocket-react';
import {
  diffLines,
  readablePath,
  sideBySide,
  valueText,
  type DiffLine,
  type DiffRow,
} from '../../lib/lineDiff';
import styles from './Diff.module.css';

/** Narrower, the two sides are stacked. */
const SIDE_BY_SIDE = 640;

const OPERATIONS: Record<FieldChange['op'], string> = {
  add: 'added',
  remove: 'removed',
  replace: 'changed',
};

const SIGNS: Record<DiffLine['kind'], string> = {
  same: '',
  removed: '−',
  added: '+',
};

function Line({ line }: { line: DiffLine }) {
  const common = {
    className: styles.line,
    'data-kind': line.kind,
    'data-sign': SIGNS[line.kind],
    // An empty line keeps its height.
    children: line.text || '\u00a0',
  };
  // The elements say to screen readers what the colours and signs say.
  switch (line.kind) {
    case 'removed':
      return <del {...common} />;
    case 'added':
      return <ins {...common} />;
    default:
      return <span {...common} />;
  }
}

function hiddenText(hidden: number): string {
  return `${hidden} equal ${hidden === 1 ? 'line' : 'lines'}`;
}

function Wide({ rows, path }: { rows: DiffRow[]; path: string }) {
  return (
    <table className={styles.table} aria-label={`${path}, before and after`}>
      <thead>
        <tr>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ left, right, hidden }, index) => (
          // A diff has no other identity than its order.
          // eslint-disable-next-line react/no-array-index-key
          <tr key={index}>
            {hidden ? (
              <td colSpan={2} className={styles.hidden}>
                {hiddenText(hidden)}
              </td>
            ) : (
              <>
                <td data-kind={left?.kind}>{left && <Line line={left} />}</td>
                <td data-kind={right?.kind}>
                  {right && <Line line={right} />}
                </td>
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Stacked({ rows }: { rows: DiffRow[] }) {
  return (
    <div className={styles.stack}>
      {rows.map(({ left, right, hidden }, index) => (
        // eslint-disable-next-line react/no-array-index-key
        <div key={index}>
          {hidden ? (
            <div className={styles.hidden}>{hiddenText(hidden)}</div>
          ) : (
            <>
              {left && <Line line={left} />}
              {right && right !== left && <Line line={right} />}
            </>
          )}
        </div>
      ))}
    </div>
  );
}

/** One side of what was added or removed would be empty, so only a replaced value has two. */
function Field({ change, wide }: { change: FieldChange; wide: boolean }) {
  const rows = useMemo(
    () =>
      sideBySide(diffLines(valueText(change.before), valueText(change.after))),
    [change],
  );
  const path = readablePath(change.path);
  return (
    <li className={styles.field}>
      <div className={styles.path}>
        {path}
        <span className={styles.op}>{OPERATIONS[change.op]}</span>
      </div>
      {wide && change.op === 'replace' ? (
        <Wide rows={rows} path={path} />
      ) : (
        <Stacked rows={rows} />
      )}
    </li>
  );
}

/** The changed fields with what they were and what they became: side by side where there is room. */
export function Diff({ changes }: { changes: FieldChange[] }) {
  const [boxRef, width] = useElementWidth(1200);
  return (
    <ul
      ref={boxRef}
      className={`${paletteClass} ${styles.fields}`}
      aria-label="Changed fields"
    >
      {changes.map(change => (
        <Field
          key={`${change.op} ${change.path}`}
          change={change}
          wide={width >= SIDE_BY_SIDE}
        />
      ))}
    </ul>
  );
}
