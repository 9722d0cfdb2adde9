import { useEntity } from '@backstage/plugin-catalog-react';
import { Skeleton, Text } from '@backstage/ui';
import { QueryRoot } from '@rocket/rocket-react';
import { Note } from '../shared/Note';
import { CloneCard } from './CloneCard';
import { DeploymentCard } from './DeploymentCard';
import styles from './RuntimeContent.module.css';
import { ServiceCard } from './ServiceCard';
import { ServiceLogCard } from './ServiceLogCard';
import { useService } from './useService';

function Runtime({ name }: { name: string }) {
  const { data: service, error, isPending } = useService(name);
  if (isPending) {
    return (
      <div
        className={styles.page}
        aria-busy="true"
        aria-label="Reading the service"
      >
        <Skeleton height={180} />
        <Skeleton height={240} />
      </div>
    );
  }
  if (!service) {
    return error ? (
      <Note tone="negative" live>
        The service could not be read: {error.message}
      </Note>
    ) : (
      <div className={styles.empty}>
        <Text as="h3" variant="title-x-small" weight="bold">
          {name} is not on the local runtime
        </Text>
        <Text as="p" color="secondary">
          Its catalog entry says that it runs there, but nothing was deployed
          under this name. Deploy it with the template that made it.
        </Text>
      </div>
    );
  }
  return (
    <div className={styles.page}>
      <div className={styles.wide}>
        <ServiceCard service={service} error={error} />
      </div>
      <DeploymentCard service={service} />
      <CloneCard repository={service.repository} />
      <div className={styles.wide}>
        <ServiceLogCard name={name} />
      </div>
    </div>
  );
}

/** The tab of a Component that runs on the local runtime. */
export function RuntimeContent() {
  const { entity } = useEntity();
  return (
    <QueryRoot>
      <Runtime name={entity.metadata.name} />
    </QueryRoot>
  );
}
