import { VisuallyHidden } from '@backstage/ui';
import type { ComponentType } from 'react';
import { paletteClass } from '../palette';
import type { Tone } from '../states';
import styles from './StateBadge.module.css';

/** Props of {@link ToneBadge}. */
export interface ToneBadgeProps {
  tone: Tone;
  Icon: ComponentType<{ size?: number | string; className?: string }>;
  label: string;
  /** What the word is about, said before it by screen readers, for example `State`. */
  subject: string;
  /** Shown on hovering. */
  title?: string;
  size?: 'small' | 'medium';
}

/** A judgement as icon, word and tone, so that colour is never the only difference. */
export function ToneBadge(props: ToneBadgeProps) {
  const { tone, Icon, label, subject, title, size = 'small' } = props;
  return (
    <span
      className={`${paletteClass} ${styles.badge}`}
      data-tone={tone}
      data-size={size}
      title={title}
    >
      <Icon size={size === 'small' ? 14 : 16} className={styles.icon} />
      <VisuallyHidden>{subject}: </VisuallyHidden>
      {label}
    </span>
  );
}
