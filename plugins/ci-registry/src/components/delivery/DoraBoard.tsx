import { useMemo } from 'react';
import type { DoraResponse, DoraRow } from '@rocket/plugin-ci-registry-common';
import {
  Button,
  SearchField,
  Select,
  ToggleButton,
  ToggleButtonGroup,
} from '@backstage/ui';
import {
  RiArrowDownLine,
  RiArrowUpLine,
  RiDownloadLine,
} from '@remixicon/react';
import {
  EntityName,
  formatSpan,
  formatTimestamp,
  ScrollRegion,
  tableStyles,
  useElementWidth,
  pageStyles,
  Empty,
} from '@rocket/rocket-react';
import { byEnvironment } from '../../lib/builds';
import {
  DEFAULT_ENVIRONMENT,
  GROUPINGS,
  type DeliveryView,
} from '../../lib/deliveryView';
import { doraCsv, METRIC_NAMES, METRICS, sortDora } from '../../lib/dora';
import { saveFile } from '../../lib/save';
import { useDora } from '../../query/hooks';
import { DaysPicker } from '../shared/DaysPicker';
import { DoraFigureView } from '../shared/DoraFigures';
import { RegistryState } from '../shared/RegistryState';
import styles from './DeliveryPage.module.css';

const TABLE_MIN_WIDTH = 820;

const GROUPING_LABELS: Record<DoraResponse['by'], [string, string]> = {
  team: ['Teams', 'Team'],
  path: ['Critical paths', 'Critical path'],
  component: ['Applications', 'Application'],
};

/** Props that the views of the page get. */
export interface ViewProps {
  view: DeliveryView;
  onChange: (change: Partial<DeliveryView>) => void;
}

function Filters({
  view,
  onChange,
  environments,
  onSave,
}: ViewProps & {
  environments: string[];
  /** Left out while there is nothing to save. */
  onSave?: () => void;
}) {
  const choices = [
    ...new Set([DEFAULT_ENVIRONMENT, view.environment, ...environments]),
  ].sort(byEnvironment);
  return (
    <div className={pageStyles.filters}>
      <ToggleButtonGroup
        aria-label="Summed up by"
        selectionMode="single"
        disallowEmptySelection
        selectedKeys={[view.by]}
        onSelectionChange={keys => {
          const [by] = [...keys];
          if (by) {
            onChange({ by: by as DoraResponse['by'] });
          }
        }}
      >
        {GROUPINGS.map(by => (
          <ToggleButton key={by} id={by}>
            {GROUPING_LABELS[by][0]}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      <div className={pageStyles.search}>
        <SearchField
          aria-label="Find a row"
          placeholder="Find a row"
          value={view.text}
          onChange={text => onChange({ text })}
        />
      </div>
      <div className={pageStyles.select}>
        <Select
          aria-label="Environment"
          options={choices.map(name => ({ id: name, label: name }))}
          selectedKey={view.environment}
          onSelectionChange={key => onChange({ environment: String(key) })}
        />
      </div>
      <div className={styles.right}>
        <DaysPicker days={view.days} onChange={days => onChange({ days })} />
        <Button
          variant="tertiary"
          size="small"
          iconStart={<RiDownloadLine />}
          isDisabled={!onSave}
          onPress={onSave}
        >
          CSV
        </Button>
      </div>
    </div>
  );
}

type Sort = DeliveryView['sort'];

function Heading({
  sort,
  id,
  label,
  hint,
  onSort,
}: {
  sort: Sort;
  id: Sort['key'];
  label: string;
  hint?: string;
  onSort: (sort: Sort) => void;
}) {
  const active = sort.key === id;
  const Arrow = active && sort.descending ? RiArrowDownLine : RiArrowUpLine;
  // The first click brings the worst, the busiest or A to the top.
  const first = id !== 'name';
  let order: 'ascending' | 'descending' | 'none' = 'none';
  if (active) {
    order = sort.descending ? 'descending' : 'ascending';
  }
  return (
    <th scope="col" aria-sort={order}>
      <button
        type="button"
        className={tableStyles.sort}
        data-active={active || undefined}
        onClick={() =>
          onSort({ key: id, descending: active ? !sort.descending : first })
        }
      >
        {label}
        <Arrow size={12} className={tableStyles.arrow} aria-hidden="true" />
      </button>
      {hint && <span className={tableStyles.hint}>{hint}</span>}
    </th>
  );
}

function Rows(
  props: ViewProps & {
    rows: DoraRow[];
    response: DoraResponse;
    busy: boolean;
  },
) {
  const { rows, response, view, onChange, busy } = props;
  const [boxRef, width] = useElementWidth(1200);
  const [label, subject] = GROUPING_LABELS[response.by];
  const goal = response.leadTimeGoal;
  const name = (row: DoraRow) => (
    <EntityName
      entityRef={row.entityRef}
      title={row.title}
      tab={response.by === 'component' ? '/delivery' : ''}
      className={tableStyles.title}
    />
  );
  if (width < TABLE_MIN_WIDTH) {
    return (
      <ul
        ref={boxRef}
        className={tableStyles.cards}
        aria-label={label}
        aria-busy={busy}
      >
        {rows.map(row => (
          <li key={row.entityRef} className={tableStyles.card}>
            {name(row)}
            <dl className={styles.metrics}>
              {METRIC_NAMES.map(metric => (
                <div key={metric}>
                  <dt>{METRICS[metric].label}</dt>
                  <dd>
                    <DoraFigureView metric={metric} row={row} goal={goal} />
                  </dd>
                </div>
              ))}
            </dl>
          </li>
        ))}
      </ul>
    );
  }
  const onSort = (sort: Sort) => onChange({ sort });
  return (
    <ScrollRegion
      ref={boxRef}
      label={`${label}, table`}
      className={tableStyles.box}
    >
      <table className={tableStyles.table} aria-busy={busy}>
        <caption className={tableStyles.caption}>
          DORA metrics of {label.toLocaleLowerCase('en')} in{' '}
          {response.environment}
        </caption>
        <thead>
          <tr>
            <Heading
              id="name"
              label={subject}
              sort={view.sort}
              onSort={onSort}
            />
            {METRIC_NAMES.map(metric => (
              <Heading
                key={metric}
                id={metric}
                label={METRICS[metric].label}
                hint={METRICS[metric].hint}
                sort={view.sort}
                onSort={onSort}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={row.entityRef}>
              <th scope="row">{name(row)}</th>
              {METRIC_NAMES.map(metric => (
                <td key={metric}>
                  <DoraFigureView metric={metric} row={row} goal={goal} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

/** The four DORA metrics by team, critical path or application, with the window before and the goal. */
export function DoraBoard({ view, onChange }: ViewProps) {
  const { by, environment, days, text, sort } = view;
  const reading = useDora({ by, environment, days });
  const { data } = reading;
  const rows = useMemo(() => {
    const words = text.toLocaleLowerCase('en').split(/\s+/).filter(Boolean);
    return sortDora(
      (data?.rows ?? []).filter(row => {
        const searched = `${row.title} ${row.entityRef}`.toLocaleLowerCase(
          'en',
        );
        return words.every(word => searched.includes(word));
      }),
      sort,
    );
  }, [data, text, sort]);
  return (
    <div className={pageStyles.board}>
      <Filters
        view={view}
        onChange={onChange}
        environments={data?.environments ?? []}
        onSave={
          data && rows.length > 0
            ? () =>
                saveFile(
                  new Blob([doraCsv(data, rows)], { type: 'text/csv' }),
                  `dora-${data.by}-${data.environment}-${days}d.csv`.replace(
                    /[^\w.-]+/g,
                    '-',
                  ),
                )
            : undefined
        }
      />
      <RegistryState reading={reading} subject="The metrics" lines={4} />
      {data && data.rows.length === 0 && (
        <Empty
          title={`Nothing was deployed to ${environment} in the last ${days} days`}
        >
          The metrics begin with the first deployment that a pipeline reports
          with <code>rocket-ci deploy</code>. Choose a longer window or another
          environment above.
        </Empty>
      )}
      {data && data.rows.length > 0 && rows.length === 0 && (
        <Empty title={`No row matches “${text}”`}>
          <Button variant="secondary" onPress={() => onChange({ text: '' })}>
            Clear the filter
          </Button>
        </Empty>
      )}
      {data && rows.length > 0 && (
        <>
          <Rows
            view={view}
            onChange={onChange}
            rows={rows}
            response={data}
            busy={reading.switching}
          />
          <details className={`${pageStyles.meanings} ${styles.meanings}`}>
            <summary>How the metrics are counted</summary>
            <dl>
              {METRIC_NAMES.map(metric => (
                <div key={metric}>
                  <dt>{METRICS[metric].label}</dt>
                  <dd>{data.definitions[metric]}</dd>
                </div>
              ))}
            </dl>
          </details>
          <p className={styles.note}>
            DORA: DevOps Research and Assessment. {data.environment},{' '}
            {formatTimestamp(data.from)} to {formatTimestamp(data.to)}, held
            against the same stretch before it. Goal of the lead time:{' '}
            {formatSpan(data.leadTimeGoal).text} from commit to running.
          </p>
        </>
      )}
    </div>
  );
}
