import { pageStyles } from '@rocket/rocket-react';
import { useEffect, useRef, useState } from 'react';
import type { BoardRow } from '@rocket/plugin-critical-paths-common';
import { useApiHolder } from '@backstage/frontend-plugin-api';
import {
  entityPresentationApiRef,
  entityPresentationSnapshot,
} from '@backstage/plugin-catalog-react';
import { SearchField, Select } from '@backstage/ui';
import type { BoardView, SortKey } from '../../lib/boardView';
import { nextSort } from '../../lib/boardView';
import { WindowPicker } from '../shared/WindowPicker';
import { SORT_OPTIONS } from './columns';
import styles from './BoardPage.module.css';

const ALL = 'all';
const TYPING_MS = 200;

/** What a row says for the choices of the filters; teams have no business model. */
export type FilterSource = Partial<Pick<BoardRow, 'businessModel' | 'owner'>>;

/** Props of {@link BoardFilters}. */
export interface BoardFiltersProps {
  rows: FilterSource[];
  view: BoardView;
  onChange: (change: Partial<BoardView>) => void;
  /** Offers a menu for sorting, where there are no headings. */
  withSort: boolean;
}

function useRefOptions(refs: string[], all: string) {
  const presentation = useApiHolder().get(entityPresentationApiRef);
  const options = Array.from(new Set(refs)).map(ref => ({
    id: ref,
    label: entityPresentationSnapshot(ref, undefined, presentation)
      .primaryTitle,
  }));
  options.sort((a, b) => a.label.localeCompare(b.label, 'en'));
  return [{ id: ALL, label: all }, ...options];
}

/** Text that is typed here at once and told upwards when the typing rests. */
function useTypedText(text: string, onChange: (text: string) => void) {
  const [typed, setTyped] = useState(text);
  const told = useRef(text);
  const tell = useRef(onChange);
  tell.current = onChange;
  useEffect(() => {
    // The address changed by other means, for example the back button.
    if (text !== told.current) {
      told.current = text;
      setTyped(text);
    }
  }, [text]);
  useEffect(() => {
    if (typed === told.current) {
      return undefined;
    }
    const timer = setTimeout(() => {
      told.current = typed;
      tell.current(typed);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return [typed, setTyped] as const;
}

/** Window, business model, owner and text. All of it lives in the address. */
export function BoardFilters(props: BoardFiltersProps) {
  const { rows, view, onChange, withSort } = props;
  const models = useRefOptions(
    [
      ...rows.map(row => row.businessModel ?? ''),
      view.businessModel ?? '',
    ].filter(Boolean),
    'All business models',
  );
  const owners = useRefOptions(
    [...rows.map(row => row.owner ?? ''), view.owner ?? ''].filter(Boolean),
    'All owners',
  );
  const [text, setText] = useTypedText(view.text, next =>
    onChange({ text: next }),
  );
  return (
    <div className={pageStyles.filters}>
      <div className={pageStyles.search}>
        <SearchField
          aria-label="Find a path"
          placeholder="Find a path"
          value={text}
          onChange={setText}
        />
      </div>
      {models.length > 1 && (
        <div className={pageStyles.select}>
          <Select
            aria-label="Business model"
            options={models}
            selectedKey={view.businessModel ?? ALL}
            onSelectionChange={key =>
              onChange({
                businessModel: key === ALL ? undefined : String(key),
              })
            }
          />
        </div>
      )}
      <div className={pageStyles.select}>
        <Select
          aria-label="Owner"
          options={owners}
          selectedKey={view.owner ?? ALL}
          onSelectionChange={key =>
            onChange({ owner: key === ALL ? undefined : String(key) })
          }
        />
      </div>
      {withSort && (
        <div className={pageStyles.select}>
          <Select
            aria-label="Sort by"
            options={SORT_OPTIONS.map(({ key, label }) => ({
              id: key,
              label: `Sort: ${label}`,
            }))}
            selectedKey={view.sort.key}
            onSelectionChange={key =>
              onChange({ sort: nextSort(view.sort, key as SortKey) })
            }
          />
        </div>
      )}
      <div className={styles.window}>
        <WindowPicker
          window={view.window}
          onChange={window => onChange({ window })}
        />
      </div>
    </div>
  );
}
