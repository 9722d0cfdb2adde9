import { usePermission } from '@backstage/plugin-permission-react';
import { Button, Link, Text } from '@backstage/ui';
import { RiDeleteBinLine, RiTimeLine } from '@remixicon/react';
import {
  provisioningOperatePermission,
  provisioningReadPermission,
  type Environment,
} from '@rocket/plugin-provisioning-common';
import {
  Ago,
  Empty,
  EntityName,
  Facts,
  formatTimestamp,
  ReadingState,
  Section,
  ToneBadge,
} from '@rocket/rocket-react';
import { useState } from 'react';
import { useChange, useEnvironments } from '../operations/hooks';
import { ENVIRONMENT_STATES } from '../operations/looks';
import styles from '../operations/Operations.module.css';
import { PlanDialog } from '../operations/PlanDialog';
import { Note } from '../shared/Note';
import pageStyles from './ProvisioningPage.module.css';

const TIERS: Record<Environment['tier'], string> = {
  development: 'Development',
  staging: 'Staging',
  production: 'Production',
};

type OnDemand = Environment & {
  onDemand: NonNullable<Environment['onDemand']>;
};

function isOnDemand(environment: Environment): environment is OnDemand {
  return environment.onDemand !== undefined;
}

function costOf({ note, perDay, currency }: OnDemand['onDemand']['cost']) {
  return perDay === undefined
    ? note
    : `${perDay} ${currency ?? ''} a day. ${note}`;
}

function OnDemandCard({ environment }: { environment: OnDemand }) {
  const { name, title, onDemand } = environment;
  const [removing, setRemoving] = useState(false);
  const { allowed } = usePermission({
    permission: provisioningOperatePermission,
  });
  const extend = useChange('It was not prolonged', api =>
    api.extendEnvironment(name),
  );
  const look = ENVIRONMENT_STATES[onDemand.state];
  const stands = !['deleting', 'deleted'].includes(onDemand.state);
  return (
    <li className={styles.card}>
      <div className={styles.head}>
        <Text as="h3" variant="body-large" weight="bold">
          {title}
        </Text>
        <ToneBadge subject="State" {...look} title={look.meaning} />
      </div>
      {onDemand.message && (
        <Note tone={onDemand.state.endsWith('failed') ? 'negative' : 'neutral'}>
          {onDemand.message}
        </Note>
      )}
      <Facts
        facts={[
          {
            label: 'Component',
            value: <EntityName entityRef={onDemand.subject} tab="/resources" />,
          },
          {
            label: 'Branch',
            value: onDemand.commit
              ? `${onDemand.branch}, ${onDemand.commit.slice(0, 12)}`
              : onDemand.branch,
          },
          {
            label: 'Asked for',
            value: (
              <>
                by {onDemand.requestedBy}, <Ago at={onDemand.createdAt} />
              </>
            ),
          },
          stands && {
            label: 'Stands until',
            value: `${formatTimestamp(onDemand.expiresAt)} (${
              onDemand.extensionsLeft === 0
                ? 'cannot be prolonged any more'
                : `can be prolonged ${onDemand.extensionsLeft} ${
                    onDemand.extensionsLeft === 1 ? 'time' : 'times'
                  }`
            })`,
          },
          { label: 'Cost', value: costOf(onDemand.cost) },
          onDemand.url !== undefined && {
            label: 'Address',
            value: (
              <Link href={onDemand.url} target="_blank">
                {onDemand.url}
              </Link>
            ),
          },
        ]}
      />
      {allowed && stands && (
        <div className={styles.actions}>
          <Button
            size="small"
            variant="secondary"
            iconStart={<RiTimeLine />}
            isDisabled={onDemand.extensionsLeft === 0}
            isPending={extend.isPending}
            onPress={() => extend.mutate(undefined)}
          >
            Prolong
          </Button>
          <Button
            size="small"
            variant="secondary"
            destructive
            iconStart={<RiDeleteBinLine />}
            onPress={() => setRemoving(true)}
          >
            Remove…
          </Button>
        </div>
      )}
      {removing && (
        <PlanDialog
          title={`Remove ${title}`}
          request={{
            kind: 'environment-delete',
            subject: onDemand.subject,
            environment: name,
            input: { name },
          }}
          onClose={() => setRemoving(false)}
        />
      )}
    </li>
  );
}

/** Where services run: what the configuration names, and what was made on demand. */
export function EnvironmentsList() {
  const reading = useEnvironments();
  const onDemand = (reading.data ?? [])
    .filter(isOnDemand)
    .filter(({ onDemand: { state } }) => state !== 'deleted');
  const standing = (reading.data ?? []).filter(
    environment => !isOnDemand(environment),
  );
  return (
    <>
      <ReadingState
        reading={reading}
        subject="The environments"
        permission={provisioningReadPermission.name}
        lines={2}
        height={120}
      />
      {reading.data && (
        <Section
          title="On demand"
          hint="One for a branch, with a database of its own, until its time is up."
        >
          {onDemand.length === 0 ? (
            <Empty title="Nobody has made one">
              Open a component’s Resources tab and choose Operate, New
              environment; or let a template or pipeline make one.
            </Empty>
          ) : (
            <ul className={pageStyles.grid} aria-label="On demand">
              {onDemand.map(environment => (
                <OnDemandCard
                  key={environment.name}
                  environment={environment}
                />
              ))}
            </ul>
          )}
        </Section>
      )}
      {standing.length > 0 && (
        <Section title="Standing">
          <ul className={pageStyles.grid} aria-label="Standing">
            {standing.map(({ name, title, runtime, tier }) => (
              <li key={name} className={styles.card}>
                <Text as="h3" variant="body-large" weight="bold">
                  {title}
                </Text>
                <Facts
                  facts={[
                    { label: 'Name', value: name },
                    { label: 'Tier', value: TIERS[tier] },
                    { label: 'Runtime', value: runtime },
                  ]}
                />
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}
