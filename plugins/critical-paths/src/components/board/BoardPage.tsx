import { pageStyles } from '@rocket/rocket-react';
import { useCallback, useMemo, useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import { useApi } from '@backstage/frontend-plugin-api';
import { Alert, Button, Container, Link } from '@backstage/ui';
import { RiDownloadLine, RiFullscreenLine } from '@remixicon/react';
import { criticalPathsApiRef } from '../../api/CriticalPathsApi';
import {
  BOARDS,
  readView,
  readWindow,
  writeView,
  type Board,
  type BoardView,
} from '../../lib/boardView';
import { SIGNALS } from '../../lib/signalBoard';
import { RejectedWindow } from '../shared/WindowPicker';
import type { BoardProps } from './BoardFrame';
import { OverviewBoard } from './OverviewBoard';
import { SignalBoard } from './SignalBoard';
import { TeamsBoard } from './TeamsBoard';
import { WallScreen } from './WallScreen';
import styles from './BoardPage.module.css';

function labelOf(board: Board): string {
  return board === 'overview' || board === 'teams'
    ? { overview: 'All signals', teams: 'Teams' }[board]
    : SIGNALS[board].label;
}

/** Saves a text as a file of the given name. */
function save(text: string, name: string) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

function Actions({ view, onChange }: BoardProps) {
  const api = useApi(criticalPathsApiRef);
  const [state, setState] = useState<'idle' | 'busy' | 'failed'>('idle');
  const download = async () => {
    setState('busy');
    try {
      const { board, window } = view;
      save(
        await api.getCsv(board, { window }),
        `critical-paths-${board}-${window}.csv`,
      );
      setState('idle');
    } catch {
      setState('failed');
    }
  };
  return (
    <div className={styles.actions}>
      <Button
        variant="tertiary"
        size="small"
        iconStart={<RiDownloadLine />}
        isDisabled={state === 'busy'}
        onPress={download}
      >
        CSV
      </Button>
      <Button
        variant="tertiary"
        size="small"
        iconStart={<RiFullscreenLine />}
        onPress={() => onChange({ wall: true })}
      >
        Wall screen
      </Button>
      {state === 'failed' && (
        <Alert
          status="danger"
          icon
          title="The file could not be read"
          description="Try again; the figures on this page are still read by themselves."
        />
      )}
    </div>
  );
}

/** The boards: all signals, one per signal, and one row per team. Everything that is chosen is in the address. */
export function BoardPage() {
  const [params, setParams] = useSearchParams();
  const view = useMemo(() => readView(params), [params]);
  const { rejected } = readWindow(params);
  const change = useCallback(
    (next: Partial<BoardView>) =>
      setParams(
        current => writeView(current, { ...readView(current), ...next }),
        { replace: true },
      ),
    [setParams],
  );
  const shared = { view, onChange: change };
  if (view.wall) {
    return <WallScreen {...shared} />;
  }
  return (
    <Container>
      <div className={pageStyles.page}>
        <RejectedWindow rejected={rejected} />
        <div className={styles.toolbar}>
          <nav className={pageStyles.tabs} aria-label="Boards">
            {BOARDS.map(board => (
              <Link
                key={board}
                standalone
                href={`?${writeView(params, { ...view, board })}`}
                aria-current={board === view.board ? 'page' : undefined}
                className={pageStyles.tab}
              >
                {labelOf(board)}
              </Link>
            ))}
          </nav>
          <Actions {...shared} />
        </div>
        {view.board === 'overview' && <OverviewBoard {...shared} />}
        {view.board === 'teams' && <TeamsBoard {...shared} />}
        {view.board !== 'overview' && view.board !== 'teams' && (
          <SignalBoard key={view.board} signal={view.board} {...shared} />
        )}
      </div>
    </Container>
  );
}
