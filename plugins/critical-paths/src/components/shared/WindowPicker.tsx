import {
  BOARD_WINDOWS,
  type BoardWindow,
} from '@rocket/plugin-critical-paths-common';
import { Alert, ToggleButton, ToggleButtonGroup } from '@backstage/ui';
import { useSearchParams } from 'react-router-dom';
import { DEFAULT_WINDOW, readWindow } from '../../lib/boardView';

const LABELS: Record<BoardWindow, string> = {
  '1h': 'Last hour',
  '6h': 'Last 6 hours',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '28d': 'Last 28 days',
  '30d': 'Last 30 days',
};

/** A window in words: `last 24 hours`. */
export function describeWindow(window: BoardWindow): string {
  return LABELS[window].toLocaleLowerCase('en');
}

/** The window of the address and how to change it. */
export function useWindowParam() {
  const [params, setParams] = useSearchParams();
  const { window, rejected } = readWindow(params);
  const setWindow = (next: BoardWindow) =>
    setParams(
      current => {
        const changed = new URLSearchParams(current);
        if (next === DEFAULT_WINDOW) {
          changed.delete('window');
        } else {
          changed.set('window', next);
        }
        return changed;
      },
      { replace: true },
    );
  return { window, rejected, setWindow };
}

/** Props of {@link WindowPicker}. */
export interface WindowPickerProps {
  window: BoardWindow;
  onChange: (window: BoardWindow) => void;
}

/** Picks the stretch of time that the figures are about. */
export function WindowPicker({ window, onChange }: WindowPickerProps) {
  return (
    <ToggleButtonGroup
      aria-label="Time window"
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[window]}
      onSelectionChange={keys => {
        const [next] = [...keys];
        if (next) {
          onChange(next as BoardWindow);
        }
      }}
    >
      {BOARD_WINDOWS.map(known => (
        <ToggleButton key={known} id={known} aria-label={LABELS[known]}>
          {known}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

/** Says that the address asked for a window that does not exist. */
export function RejectedWindow({ rejected }: { rejected?: string }) {
  if (rejected === undefined) {
    return null;
  }
  return (
    <Alert
      status="warning"
      icon
      title={`There is no window “${rejected}”`}
      description={`Showing the ${describeWindow(
        DEFAULT_WINDOW,
      )}. Possible are ${BOARD_WINDOWS.join(', ')}.`}
    />
  );
}
