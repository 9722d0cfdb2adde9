import { parseEntityRef } from '@backstage/catalog-model';
import type {
  Freshness,
  FreshnessState,
} from '@rocket/plugin-ci-registry-common';
import { Button, Select } from '@backstage/ui';
import {
  EntityName,
  formatCount,
  formatTimestamp,
  itemsOf,
  paletteClass,
  ScrollRegion,
  tableStyles,
  ToneBadge,
  useElementWidth,
  pageStyles,
  Ago,
  Empty,
  MoreButton,
} from '@rocket/rocket-react';
import { FRESHNESS, FRESHNESS_STATES } from '../../lib/looks';
import { useFreshnessList } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { CommitLink, PipelineName, RepositoryLink } from '../shared/Source';
import styles from './DeliveryPage.module.css';
import type { ViewProps } from './DoraBoard';

const TABLE_MIN_WIDTH = 860;
const ALL = 'all';
const MINE = 'mine';

function States(props: {
  counts?: Record<FreshnessState, number>;
  selected: FreshnessState[];
  onChange: (states: FreshnessState[]) => void;
}) {
  const { counts, selected, onChange } = props;
  return (
    <div
      className={`${paletteClass} ${styles.states}`}
      role="group"
      aria-label="States"
    >
      {FRESHNESS_STATES.map(state => {
        const { Icon, label, tone, meaning } = FRESHNESS[state];
        const pressed = selected.includes(state);
        return (
          <button
            key={state}
            type="button"
            className={styles.state}
            data-tone={tone}
            title={meaning}
            aria-pressed={pressed}
            onClick={() =>
              onChange(
                pressed
                  ? selected.filter(known => known !== state)
                  : FRESHNESS_STATES.filter(
                      known => known === state || selected.includes(known),
                    ),
              )
            }
          >
            <Icon size={15} />
            {label}{' '}
            {counts && (
              <span className={styles.count}>
                {formatCount(counts[state] ?? 0)}
              </span>
            )}
          </button>
        );
      })}
    </div>
  );
}

/** What runs without an entry has no page in the catalog. */
function Name({ item }: { item: Freshness }) {
  const { kind, name } = parseEntityRef(item.entityRef);
  return (
    <div>
      {item.state === 'running-unregistered' ? (
        <span className={tableStyles.title}>{name}</span>
      ) : (
        <EntityName entityRef={item.entityRef} className={tableStyles.title} />
      )}{' '}
      <span className={tableStyles.sub}>{kind}</span>
    </div>
  );
}

function Why({ item }: { item: Freshness }) {
  return (
    <>
      {item.reason || FRESHNESS[item.state].meaning}
      {item.removedAt && (
        <span className={tableStyles.sub}>
          leaves the catalog {formatTimestamp(item.removedAt)}
        </span>
      )}
    </>
  );
}

function Changed({ item }: { item: Freshness }) {
  if (!item.lastPushedAt) {
    return <span className={styles.note}>never pushed</span>;
  }
  return (
    <>
      <Ago at={item.lastPushedAt} />
      {item.lastChangedAt && (
        <span className={tableStyles.sub}>
          changed <Ago at={item.lastChangedAt} />
          {item.lastChangedCommit && (
            <>
              {' by '}
              <CommitLink
                repository={item.repository}
                sha={item.lastChangedCommit}
              />
            </>
          )}
          {item.lastChangedPipeline && (
            <>
              {' in '}
              <PipelineName pipeline={item.lastChangedPipeline} />
            </>
          )}
        </span>
      )}
    </>
  );
}

function Origin({ item }: { item: Freshness }) {
  return (
    <>
      {item.repository && (
        <span className={styles.breaks}>
          <RepositoryLink repository={item.repository} />
        </span>
      )}
      {item.lastSeenRunningAt && (
        <span className={tableStyles.sub}>
          seen running <Ago at={item.lastSeenRunningAt} />
          {item.runningSource && `, ${item.runningSource}`}
        </span>
      )}
    </>
  );
}

function Items({ items, busy }: { items: Freshness[]; busy: boolean }) {
  const [boxRef, width] = useElementWidth(1200);
  const badge = (item: Freshness) => (
    <ToneBadge
      subject="Freshness"
      label={FRESHNESS[item.state].label}
      tone={FRESHNESS[item.state].tone}
      Icon={FRESHNESS[item.state].Icon}
      title={FRESHNESS[item.state].meaning}
    />
  );
  if (width < TABLE_MIN_WIDTH) {
    return (
      <ul
        ref={boxRef}
        className={tableStyles.cards}
        aria-label="Entries"
        aria-busy={busy}
      >
        {items.map(item => (
          <li key={item.entityRef} className={tableStyles.card}>
            <div className={tableStyles.cardHead}>
              <Name item={item} />
              {badge(item)}
            </div>
            <div>
              <Why item={item} />
            </div>
            <div>
              Pushed: <Changed item={item} />
            </div>
            <div className={tableStyles.cardFoot}>
              {item.owner && <EntityName entityRef={item.owner} />}
              <span>
                <Origin item={item} />
              </span>
            </div>
          </li>
        ))}
      </ul>
    );
  }
  return (
    <ScrollRegion
      ref={boxRef}
      label="Entries, table"
      className={tableStyles.box}
    >
      <table className={tableStyles.table} aria-busy={busy}>
        <caption className={tableStyles.caption}>
          Entries by how far they are known to be true, the worst first
        </caption>
        <thead>
          <tr>
            <th scope="col">Entry</th>
            <th scope="col">State</th>
            <th scope="col">Why, and what to do</th>
            <th scope="col">Owner</th>
            <th scope="col">Last pushed</th>
            <th scope="col">Came from</th>
          </tr>
        </thead>
        <tbody>
          {items.map(item => (
            <tr key={item.entityRef}>
              <th scope="row">
                <Name item={item} />
              </th>
              <td>{badge(item)}</td>
              <td className={styles.reason}>
                <Why item={item} />
              </td>
              <td>
                {item.owner ? (
                  <EntityName entityRef={item.owner} />
                ) : (
                  <span className={tableStyles.sub}>not known</span>
                )}
              </td>
              <td>
                <Changed item={item} />
              </td>
              <td>
                <Origin item={item} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

/** How far the catalog is known to be true, for those who own its entries. */
export function FreshnessList({ view, onChange }: ViewProps) {
  const list = useFreshnessList(view);
  const { reading } = list;
  const items = itemsOf(reading.data);
  const filtered = view.owner !== undefined || view.states.length > 0;
  const owners = [
    { id: ALL, label: 'All owners' },
    { id: MINE, label: 'Mine and my groups’' },
    ...(view.owner && view.owner !== MINE
      ? [{ id: view.owner, label: view.owner }]
      : []),
  ];
  return (
    <div className={pageStyles.board}>
      <div className={pageStyles.filters}>
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
        <States
          counts={reading.data?.pages[0]?.counts}
          selected={view.states}
          onChange={states => onChange({ states })}
        />
      </div>
      <RegistryState reading={reading} subject="The entries" lines={4} />
      {reading.data && items.length === 0 && (
        <Empty
          title={
            filtered
              ? 'No entry matches these filters'
              : 'No pipeline pushed anything yet'
          }
        >
          {filtered ? (
            <Button
              variant="secondary"
              onPress={() => onChange({ owner: undefined, states: [] })}
            >
              Clear the filters
            </Button>
          ) : (
            <>
              Let the pipelines call <code>rocket-ci register</code> in their
              repositories; what they push appears here.
            </>
          )}
        </Empty>
      )}
      {items.length > 0 && <Items items={items} busy={reading.switching} />}
      <MoreButton list={list} what="entries" />
    </div>
  );
}
