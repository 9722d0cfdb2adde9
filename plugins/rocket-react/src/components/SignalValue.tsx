import type { Formatted } from '../format';
import styles from './SignalValue.module.css';

/** Props of {@link SignalValue}. */
export interface SignalValueProps {
  figure: Formatted;
  size?: 'small' | 'medium' | 'large';
  /** Said before the figure by screen readers, for example `p95`. */
  prefix?: string;
}

/** A figure with tabular digits and a quiet unit; missing data is words, never a number. */
export function SignalValue(props: SignalValueProps) {
  const { figure, size = 'small', prefix } = props;
  return (
    <span
      className={styles.value}
      data-size={size}
      data-missing={figure.hasData ? undefined : ''}
    >
      {prefix && <span className={styles.prefix}>{prefix} </span>}
      {figure.value}
      {figure.unit && (
        <span className={styles.unit}>
          {'\u202f'}
          {figure.unit}
        </span>
      )}
    </span>
  );
}
