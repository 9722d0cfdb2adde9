import { usePermission } from '@backstage/plugin-permission-react';
import { Button } from '@backstage/ui';
import { RiArrowGoBackLine, RiSearchEyeLine } from '@remixicon/react';
import {
  provisioningOperatePermission,
  provisioningReadPermission,
  type Effect,
} from '@rocket/plugin-provisioning-common';
import {
  Ago,
  Facts,
  ReadingState,
  ScrollRegion,
  tableStyles,
} from '@rocket/rocket-react';
import { useState } from 'react';
import { useChange, useEffectEvents } from '../operations/hooks';
import { EFFECT_STATES } from '../operations/looks';
import { PlanDialog } from '../operations/PlanDialog';
import { Note } from '../shared/Note';
import styles from './Resources.module.css';

function Differences({ effect }: { effect: Effect }) {
  const differences = effect.observation?.differences ?? [];
  if (differences.length === 0) {
    return null;
  }
  return (
    <ScrollRegion label="Differences, table" className={tableStyles.box}>
      <table className={tableStyles.table}>
        <caption className={tableStyles.caption}>
          What differs from what was intended
        </caption>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Intended</th>
            <th scope="col">Found</th>
          </tr>
        </thead>
        <tbody>
          {differences.map(({ field, intended, found }) => (
            <tr key={field}>
              <th scope="row">
                <code>{field}</code>
              </th>
              <td className={styles.value}>{intended}</td>
              <td className={styles.value}>{found}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

/** Fields of an object one by one; what is nested is shown as JSON. */
function factsOf(object: object) {
  return Object.entries(object).map(([label, value]) => ({
    label,
    value:
      typeof value === 'object' && value !== null ? (
        <code className={styles.value}>{JSON.stringify(value)}</code>
      ) : (
        <span className={styles.value}>{String(value)}</span>
      ),
  }));
}

/** What was made without what only repeats the intent. */
function newIn(details: Effect['details'], intent: Effect['intent']) {
  return Object.fromEntries(
    Object.entries(details).filter(
      ([name, value]) => JSON.stringify(intent[name]) !== JSON.stringify(value),
    ),
  );
}

function Events({ effect }: { effect: Effect }) {
  const reading = useEffectEvents(effect.id);
  return (
    <>
      <ReadingState
        reading={reading}
        subject="The changes"
        permission={provisioningReadPermission.name}
        height={40}
      />
      {reading.data && (
        <ol className={styles.events} aria-label="Changes of its state">
          {reading.data.map(event => (
            <li key={`${event.at} ${event.to}`}>
              <Ago at={event.at} />: {EFFECT_STATES[event.to].label}, by{' '}
              {event.actor}
              {event.message && `. ${event.message}`}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

/** Everything that is known of one thing: what it is meant to be, what was found, how it came and how it goes. */
export function EffectDetails({ effect }: { effect: Effect }) {
  const [undoing, setUndoing] = useState(false);
  const { allowed } = usePermission({
    permission: provisioningOperatePermission,
  });
  const observe = useChange('It could not be looked at', api =>
    api.observeEffect(effect.id),
  );
  const gone = effect.state === 'undone';
  return (
    <div className={styles.details}>
      {effect.instruction && <Note tone="negative">{effect.instruction}</Note>}
      <Differences effect={effect} />
      <Facts
        facts={[
          ...factsOf(effect.intent),
          ...factsOf(newIn(effect.details, effect.intent)),
          {
            label: 'Made by',
            value: `${effect.actor}, step “${effect.step}” of ${effect.run}`,
          },
          effect.retainedUntil !== undefined && {
            label: 'Data kept until',
            value: effect.retainedUntil.slice(0, 10),
          },
          !gone && { label: 'To take it back', value: effect.undo },
        ]}
      />
      <Events effect={effect} />
      {allowed && !gone && (
        <div className={styles.tools}>
          <Button
            size="small"
            variant="secondary"
            iconStart={<RiSearchEyeLine />}
            isPending={observe.isPending}
            onPress={() => observe.mutate(undefined)}
          >
            Look now
          </Button>
          <Button
            size="small"
            variant="secondary"
            destructive
            iconStart={<RiArrowGoBackLine />}
            onPress={() => setUndoing(true)}
          >
            Undo the whole run…
          </Button>
        </div>
      )}
      {undoing && (
        <PlanDialog
          title="Undo the run"
          request={{
            kind: 'undo',
            subject: effect.subject,
            input: { run: effect.run },
          }}
          onClose={() => setUndoing(false)}
        />
      )}
    </div>
  );
}
