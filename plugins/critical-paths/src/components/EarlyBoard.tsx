import { identityApiRef, useApi } from '@backstage/frontend-plugin-api';
import { useState } from 'react';
import { useLocation } from 'react-router-dom';
import { criticalPathsApiRef } from '../api/CriticalPathsApi';
import { readView } from '../lib/boardView';
import { askEarly } from '../lib/earlyBoard';

/** Where the board is unless an installation moves it; there it is only not asked for early. */
export const BOARD_PATH = '/critical-paths';

let isStart = true;

/**
 * Shows nothing. When the portal is opened at the board, the board's figures
 * are asked for at once, unless the index page has done so: the request waits
 * for the sign-in by itself, and comes back while the page is still being put
 * together.
 */
export function EarlyBoard() {
  const api = useApi(criticalPathsApiRef);
  const identity = useApi(identityApiRef);
  const { pathname, search } = useLocation();
  useState(() => {
    // Routes are not resolved yet at this time, so the path is compared as text.
    const { board, window } = readView(new URLSearchParams(search));
    if (isStart && pathname.endsWith(BOARD_PATH) && board === 'overview') {
      askEarly(api, identity, window);
    }
    isStart = false;
  });
  return null;
}
