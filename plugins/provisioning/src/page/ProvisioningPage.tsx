import { Container, Link } from '@backstage/ui';
import {
  provisioningReadPermission,
  type OperationState,
} from '@rocket/plugin-provisioning-common';
import {
  Empty,
  pageStyles,
  QueryRoot,
  ReadingState,
} from '@rocket/rocket-react';
import { useSearchParams } from 'react-router-dom';
import { useOperations } from '../operations/hooks';
import { OperationCard } from '../operations/OperationCard';
import styles from '../operations/Operations.module.css';
import { EnvironmentsList } from './EnvironmentsList';

const VIEWS = {
  environments: 'Environments',
  approvals: 'Approvals',
  operations: 'Operations',
} as const;
type View = keyof typeof VIEWS;

const isView = (name: string | null): name is View =>
  name !== null && Object.hasOwn(VIEWS, name);

function OperationsList(props: {
  state?: OperationState;
  title: string;
  hint: string;
}) {
  const reading = useOperations({ state: props.state });
  return (
    <>
      <ReadingState
        reading={reading}
        subject="The operations"
        permission={provisioningReadPermission.name}
        lines={3}
        height={120}
      />
      {reading.data?.length === 0 && (
        <Empty title={props.title}>{props.hint}</Empty>
      )}
      {reading.data && reading.data.length > 0 && (
        <ul className={styles.cards} aria-label="Operations">
          {reading.data.map(operation => (
            <OperationCard
              key={operation.id}
              operation={operation}
              withSubject
            />
          ))}
        </ul>
      )}
    </>
  );
}

function Provisioning() {
  const [params] = useSearchParams();
  const wanted = params.get('view');
  const view = isView(wanted) ? wanted : 'environments';
  return (
    <Container>
      <div className={pageStyles.page}>
        <nav className={pageStyles.tabs} aria-label="Views">
          {Object.entries(VIEWS).map(([name, label]) => (
            <Link
              key={name}
              standalone
              href={`?view=${name}`}
              aria-current={name === view ? 'page' : undefined}
              className={pageStyles.tab}
            >
              {label}
            </Link>
          ))}
        </nav>
        {view === 'environments' && <EnvironmentsList />}
        {view === 'approvals' && (
          <OperationsList
            state="waiting"
            title="Nothing waits for approval"
            hint="What is asked for in environments that want a second pair of eyes waits here for one of its approvers."
          />
        )}
        {view === 'operations' && (
          <OperationsList
            title="Nothing was asked for yet"
            hint="Deployments, roll-backs, rotations, retirements and environments that people ask for are listed here, with each step."
          />
        )}
      </div>
    </Container>
  );
}

/** Environments, what waits for approval, and what was done. */
export function ProvisioningPage() {
  return (
    <QueryRoot>
      <main>
        <Provisioning />
      </main>
    </QueryRoot>
  );
}
