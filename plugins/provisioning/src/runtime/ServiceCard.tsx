import { Card, CardBody, Flex, Link } from '@backstage/ui';
import type { ServiceStatus } from '@rocket/plugin-provisioning-common';
import { formatAge, formatTimestamp, useNow } from '@rocket/rocket-react';
import type { ReactNode } from 'react';
import { Note } from '../shared/Note';
import { CopyButton } from './CopyButton';
import { ServiceActions } from './ServiceActions';
import styles from './ServiceCard.module.css';
import { ServiceStateBadge } from './states';

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Outward({ href }: { href: string }) {
  return (
    <Link href={href} target="_blank" rel="noopener noreferrer">
      {href}
    </Link>
  );
}

/** What runs, where, since when, and the buttons to change that. */
export function ServiceCard(props: {
  service: ServiceStatus;
  /** The last reading failed; what is shown is older. */
  error: Error | null;
}) {
  const { service, error } = props;
  const now = useNow();
  const up = service.state !== 'stopped' && service.state !== 'failed';
  return (
    <Card>
      <CardBody>
        <Flex direction="column" gap="3">
          <Flex
            align="center"
            justify="between"
            gap="3"
            className={styles.head}
          >
            <ServiceStateBadge
              state={service.state}
              outdated={Boolean(error)}
            />
            <ServiceActions service={service} />
          </Flex>
          {error && (
            <Note tone="negative" live>
              The state could not be read: {error.message}. What is shown is
              from {formatTimestamp(service.updatedAt)}.
            </Note>
          )}
          {service.message && (
            <Note tone={service.state === 'healthy' ? 'neutral' : 'negative'}>
              {service.message}
            </Note>
          )}
          <dl className={styles.facts}>
            <Fact term="Address">
              {service.url && up ? (
                <Outward href={service.url} />
              ) : (
                'not running'
              )}
            </Fact>
            <Fact term="API docs">
              {service.docsUrl && up ? (
                <Outward href={service.docsUrl} />
              ) : (
                'none right now'
              )}
            </Fact>
            <Fact term="Commit">
              {service.commit ? (
                <span className={styles.commit}>
                  <code>{service.commit.slice(0, 12)}</code>
                  <CopyButton
                    label="Copy the commit id"
                    text={() => service.commit ?? ''}
                  />
                </span>
              ) : (
                'none yet'
              )}
            </Fact>
            <Fact term="Runs since">
              {service.startedAt && up ? (
                <time
                  dateTime={service.startedAt}
                  title={formatTimestamp(service.startedAt)}
                >
                  {formatAge((now - Date.parse(service.startedAt)) / 1000)}
                </time>
              ) : (
                'not running'
              )}
            </Fact>
            <Fact term="Restarts">{service.restarts}</Fact>
            <Fact term="Database">{service.database ?? 'none'}</Fact>
          </dl>
        </Flex>
      </CardBody>
    </Card>
  );
}
