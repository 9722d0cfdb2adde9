import type { Effect } from '@rocket/plugin-provisioning-common';
import { Ago, ToneBadge } from '@rocket/rocket-react';
import { useState } from 'react';
import { EFFECT_STATES, OBSERVATIONS } from '../operations/looks';
import { EffectDetails } from './EffectDetails';
import styles from './Resources.module.css';

/** Names of the types that Rocket brings; others are shown as they are called. */
const TYPES: Record<string, string> = {
  'git.repository': 'Git repository',
  'catalog.entity': 'Catalog entry',
  'local.service': 'Service on the local runtime',
  'postgres.database': 'PostgreSQL database',
  'newrelic.alert-policy': 'New Relic alerts',
  'newrelic.service-levels': 'New Relic service levels',
  'newrelic.dashboard': 'New Relic dashboard',
  'newrelic.tags': 'New Relic tags',
  'kubernetes.namespace': 'Kubernetes namespace',
  'kubernetes.workload': 'Kubernetes workload',
};

function Observed({ effect }: { effect: Effect }) {
  const { observation } = effect;
  if (!observation) {
    return <span className={styles.quiet}>Not looked at yet</span>;
  }
  const look = OBSERVATIONS[observation.state];
  return (
    <span className={styles.observed}>
      <ToneBadge
        subject="In the outside world"
        {...look}
        title={observation.message ?? look.meaning}
      />
      <span className={styles.quiet}>
        <Ago at={observation.observedAt} />
      </span>
    </span>
  );
}

function EffectItem({ effect }: { effect: Effect }) {
  const [open, setOpen] = useState(false);
  const state = EFFECT_STATES[effect.state];
  const pending = effect.details.pending;
  return (
    <details
      className={styles.effect}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span className={styles.name}>
          <strong>{TYPES[effect.type] ?? effect.type}</strong>
          <span className={styles.reference}>{effect.reference}</span>
        </span>
        <span className={styles.badges}>
          <ToneBadge
            subject="State"
            {...state}
            title={effect.message ?? state.meaning}
          />
          {effect.state === 'live' && <Observed effect={effect} />}
        </span>
        {effect.message && (
          <span className={styles.message}>{effect.message}</span>
        )}
        {effect.state === 'live' && typeof pending === 'string' && (
          <span className={styles.message}>{pending}</span>
        )}
      </summary>
      {open && <EffectDetails effect={effect} />}
    </details>
  );
}

/** What exists, a line each; a line opens to everything that is known. */
export function EffectsList({
  effects,
  label,
}: {
  effects: Effect[];
  label: string;
}) {
  return (
    <ul className={styles.effects} aria-label={label}>
      {effects.map(effect => (
        <li key={effect.id}>
          <EffectItem effect={effect} />
        </li>
      ))}
    </ul>
  );
}
