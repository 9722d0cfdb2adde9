import { useApi } from '@backstage/frontend-plugin-api';
import type { ServiceLog } from '@rocket/plugin-provisioning-common';
import { useEffect, useRef, useState } from 'react';
import { provisioningApiRef } from '../api/ProvisioningApi';

const POLL_MS = 2_000;
const POLL_AFTER_ERROR_MS = 5_000;
const PAGE = 500;
const KEEP_LINES = 2_000;

export type LogLine = ServiceLog['lines'][number] & { key: number };

/** The end of a service's log, read on while not paused. Keeps the newest 2,000 lines. */
export function useServiceLog(name: string, paused: boolean) {
  const provisioning = useApi(provisioningApiRef);
  const [lines, setLines] = useState<LogLine[]>();
  const [error, setError] = useState<Error>();
  const cursor = useRef<number>();
  const nextKey = useRef(0);

  useEffect(() => {
    cursor.current = undefined;
    nextKey.current = 0;
    setLines(undefined);
    setError(undefined);
  }, [name, provisioning]);

  useEffect(() => {
    if (paused) {
      return undefined;
    }
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const read = async () => {
      let delay = POLL_MS;
      try {
        const answer = await provisioning.getLog(
          name,
          { after: cursor.current, limit: PAGE },
          stop.signal,
        );
        if (stop.signal.aborted) {
          return;
        }
        cursor.current = answer.cursor;
        const fresh = answer.lines.map(line => {
          nextKey.current += 1;
          return { ...line, key: nextKey.current };
        });
        setLines((before = []) =>
          fresh.length ? [...before, ...fresh].slice(-KEEP_LINES) : before,
        );
        setError(undefined);
        if (fresh.length === PAGE) {
          delay = 0;
        }
      } catch (failure) {
        if (stop.signal.aborted) {
          return;
        }
        setError(failure as Error);
        delay = POLL_AFTER_ERROR_MS;
      }
      timer = setTimeout(read, delay);
    };
    read();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [name, paused, provisioning]);

  return { lines, error };
}
