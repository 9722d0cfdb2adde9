import { usePermission } from '@backstage/plugin-permission-react';
import { ciRegistryAuditPermission } from '@rocket/plugin-ci-registry-common';
import { Container, Link } from '@backstage/ui';
import { QueryRoot, pageStyles } from '@rocket/rocket-react';
import { VIEWS, writeView, type View } from '../../lib/deliveryView';
import { useView } from '../shared/useView';
import { DecisionsList } from './DecisionsList';
import styles from './DeliveryPage.module.css';
import { DoraBoard } from './DoraBoard';
import { FreshnessList } from './FreshnessList';

const LABELS: Record<View, string> = {
  metrics: 'DORA metrics',
  freshness: 'Freshness',
  decisions: 'Who was let in',
};

function Delivery() {
  const { params, view, change } = useView();
  const { allowed } = usePermission({ permission: ciRegistryAuditPermission });
  // Who follows a link to what they may not see is told so there, not left before an empty page.
  const shown = VIEWS.filter(
    name => name !== 'decisions' || allowed || view.view === name,
  );
  return (
    <Container>
      <div className={pageStyles.page}>
        <nav className={`${pageStyles.tabs} ${styles.tabs}`} aria-label="Views">
          {shown.map(name => (
            <Link
              key={name}
              standalone
              href={`?${writeView(params, { ...view, view: name })}`}
              aria-current={name === view.view ? 'page' : undefined}
              className={pageStyles.tab}
            >
              {LABELS[name]}
            </Link>
          ))}
        </nav>
        {view.view === 'metrics' && <DoraBoard view={view} onChange={change} />}
        {view.view === 'freshness' && (
          <FreshnessList view={view} onChange={change} />
        )}
        {view.view === 'decisions' && (
          <DecisionsList view={view} onChange={change} />
        )}
      </div>
    </Container>
  );
}

/** How well changes are delivered, how true the catalog is, and who was let in. Everything that is chosen is in the address. */
export function DeliveryPage() {
  return (
    <QueryRoot>
      <main>
        <Delivery />
      </main>
    </QueryRoot>
  );
}
