import { stringifyEntityRef } from '@backstage/catalog-model';
import { useEntity } from '@backstage/plugin-catalog-react';
import { Switch } from '@backstage/ui';
import {
  provisioningReadPermission,
  type Effect,
} from '@rocket/plugin-provisioning-common';
import {
  Empty,
  Page,
  QueryRoot,
  ReadingState,
  Section,
} from '@rocket/rocket-react';
import { useState } from 'react';
import { useEffects, useOperations } from '../operations/hooks';
import { OPEN_STATES } from '../operations/looks';
import { OperateMenu } from '../operations/OperateMenu';
import { OperationCard } from '../operations/OperationCard';
import operationStyles from '../operations/Operations.module.css';
import { EffectsList } from './EffectsList';

/** What is there once for all environments comes first. */
function byEnvironment(effects: Effect[]): [string, Effect[]][] {
  const groups = new Map<string, Effect[]>();
  for (const effect of effects) {
    const name = effect.environment ?? '';
    groups.set(name, [...(groups.get(name) ?? []), effect]);
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

function Existing({ subject }: { subject: string }) {
  const [withGone, setWithGone] = useState(false);
  const reading = useEffects(subject);
  const all = reading.data ?? [];
  const shown = all.filter(({ state }) => withGone || state !== 'undone');
  return (
    <Section
      title="What exists for it"
      hint="Everything that Rocket made for this component, what it was meant to be, and what was found there last."
      tools={
        <>
          {all.some(({ state }) => state === 'undone') && (
            <Switch
              label="Also what is gone"
              isSelected={withGone}
              onChange={setWithGone}
            />
          )}
          <OperateMenu subject={subject} />
        </>
      }
    >
      <ReadingState
        reading={reading}
        subject="What exists"
        permission={provisioningReadPermission.name}
        lines={3}
        height={48}
      />
      {reading.data && shown.length === 0 && (
        <Empty title="Rocket made nothing for this component">
          {all.length > 0
            ? 'Everything that it made is gone.'
            : 'What golden templates and operations make is listed here, with how to take it back.'}
        </Empty>
      )}
      {byEnvironment(shown).map(([environment, effects]) => (
        <Section
          key={environment}
          level={3}
          title={environment || 'For all environments'}
        >
          <EffectsList
            effects={effects}
            label={environment || 'For all environments'}
          />
        </Section>
      ))}
    </Section>
  );
}

function Resources({ subject }: { subject: string }) {
  const reading = useOperations({ subject });
  const [open, over] = [
    (reading.data ?? []).filter(({ state }) => OPEN_STATES.includes(state)),
    (reading.data ?? []).filter(({ state }) => !OPEN_STATES.includes(state)),
  ];
  return (
    <Page>
      <ReadingState
        reading={reading}
        subject="The operations"
        permission={provisioningReadPermission.name}
        height={64}
      />
      {open.length > 0 && (
        <Section title="To be finished">
          <ul className={operationStyles.cards} aria-label="To be finished">
            {open.map(operation => (
              <OperationCard key={operation.id} operation={operation} />
            ))}
          </ul>
        </Section>
      )}
      <Existing subject={subject} />
      {over.length > 0 && (
        <Section title="What was done">
          <ul className={operationStyles.cards} aria-label="What was done">
            {over.map(operation => (
              <OperationCard key={operation.id} operation={operation} />
            ))}
          </ul>
        </Section>
      )}
    </Page>
  );
}

/** Tab of a component: what Rocket made for it, and what can be done with it. */
export function ResourcesContent() {
  const { entity } = useEntity();
  return (
    <QueryRoot>
      <Resources subject={stringifyEntityRef(entity)} />
    </QueryRoot>
  );
}
