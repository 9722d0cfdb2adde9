import {
  RiCheckboxCircleLine,
  RiErrorWarningLine,
  RiInformationLine,
  RiLoader4Line,
} from '@remixicon/react';
import { paletteClass } from '@rocket/rocket-react';
import type { ReactNode } from 'react';
import styles from './Note.module.css';

const ICONS = {
  positive: RiCheckboxCircleLine,
  negative: RiErrorWarningLine,
  neutral: RiInformationLine,
  busy: RiLoader4Line,
};

/** Props of {@link Note}. */
export interface NoteProps {
  tone: keyof typeof ICONS;
  /** Reads it out when it appears or changes. */
  live?: boolean;
  id?: string;
  children: ReactNode;
}

/** A line of text with an icon, for what a form field or a page has to say. */
export function Note({ tone, live, id, children }: NoteProps) {
  const Icon = ICONS[tone];
  return (
    <div
      id={id}
      className={`${paletteClass} ${styles.note}`}
      data-tone={tone}
      role={live ? 'status' : undefined}
    >
      <Icon size={16} className={styles.icon} aria-hidden="true" />
      <span>{children}</span>
    </div>
  );
}
