import { forwardRef, type ReactNode } from 'react';

/** Props of {@link ScrollRegion}. */
export interface ScrollRegionProps {
  /** Name of the region for screen readers. */
  label: string;
  className?: string;
  children: ReactNode;
}

/** A box that scrolls when its content is larger, also with the keyboard. */
export const ScrollRegion = forwardRef<HTMLDivElement, ScrollRegionProps>(
  ({ label, className, children }, ref) => (
    <div
      ref={ref}
      className={className}
      role="region"
      aria-label={label}
      // Without a tab stop the keyboard could not reach what is scrolled away.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
    >
      {children}
    </div>
  ),
);
