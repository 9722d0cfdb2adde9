import { identityApiRef, useApi } from '@backstage/frontend-plugin-api';
import { EntityRefLink, catalogApiRef } from '@backstage/plugin-catalog-react';
import { stringifyEntityRef } from '@backstage/catalog-model';
import {
  Alert,
  Card,
  CardBody,
  CardHeader,
  Link,
  Skeleton,
  Text,
} from '@backstage/ui';
import useAsync from 'react-use/esm/useAsync';
import styles from './RocketHomeLayout.module.css';

const SHOWN = 8;
const KINDS = ['Component', 'API', 'System', 'Resource'];

/** What the reader and their groups own: services first, the rest by count. */
export function OwnedCard() {
  const identity = useApi(identityApiRef);
  const catalog = useApi(catalogApiRef);

  const owned = useAsync(async () => {
    const { ownershipEntityRefs } = await identity.getBackstageIdentity();
    const query = {
      kind: { $in: KINDS },
      'relations.ownedBy': { $in: ownershipEntityRefs },
    };
    const [components, counts] = await Promise.all([
      catalog.queryEntities({
        query: { ...query, kind: 'Component' },
        fields: ['kind', 'metadata', 'spec.type', 'spec.lifecycle'],
        orderFields: [{ field: 'metadata.name', order: 'asc' }],
        limit: SHOWN,
      }),
      catalog.getEntityFacets({ query, facets: ['kind'] }),
    ]);
    return {
      components: components.items,
      total: components.totalItems,
      counts: counts.facets.kind ?? [],
    };
  }, [identity, catalog]);

  return (
    <Card>
      <CardHeader>
        <Text as="h2" variant="title-x-small" weight="bold">
          What you own
        </Text>
      </CardHeader>
      <CardBody>
        {owned.loading && <Skeleton width="100%" height={160} />}
        {owned.error && (
          <Alert
            status="danger"
            title="The catalog could not be read"
            description={owned.error.message}
          />
        )}
        {owned.value && owned.value.components.length === 0 && (
          <Text color="secondary">
            You and your groups own no components yet. Create the first one from
            a golden template.
          </Text>
        )}
        {owned.value && owned.value.components.length > 0 && (
          <>
            <ul className={styles.list}>
              {owned.value.components.map(entity => (
                <li key={stringifyEntityRef(entity)}>
                  <span className={styles.grow}>
                    <EntityRefLink entityRef={entity} defaultKind="component" />
                  </span>
                  <span className={styles.muted}>
                    {[entity.spec?.type, entity.spec?.lifecycle]
                      .filter(Boolean)
                      .join(' · ')}
                  </span>
                </li>
              ))}
            </ul>
            <p className={styles.muted}>
              {owned.value.counts
                .map(c => `${c.count} ${c.value}${c.count === 1 ? '' : 's'}`)
                .join(' · ')}{' '}
              ·{' '}
              <Link href="/catalog?filters[user]=owned">
                all in the catalog
              </Link>
            </p>
          </>
        )}
      </CardBody>
    </Card>
  );
}
