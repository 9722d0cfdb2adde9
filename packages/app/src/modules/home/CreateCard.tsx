import { useApi } from '@backstage/frontend-plugin-api';
import { catalogApiRef } from '@backstage/plugin-catalog-react';
import { stringifyEntityRef } from '@backstage/catalog-model';
import {
  Alert,
  ButtonLink,
  Card,
  CardBody,
  CardFooter,
  CardHeader,
  Link,
  Skeleton,
  Text,
} from '@backstage/ui';
import useAsync from 'react-use/esm/useAsync';
import styles from './RocketHomeLayout.module.css';

/** The golden templates, and the way to all of them. */
export function CreateCard() {
  const catalog = useApi(catalogApiRef);
  const templates = useAsync(
    () =>
      catalog.queryEntities({
        query: { kind: 'Template' },
        fields: [
          'kind',
          'metadata.name',
          'metadata.namespace',
          'metadata.title',
          'metadata.description',
        ],
        orderFields: [{ field: 'metadata.title', order: 'asc' }],
        limit: 4,
      }),
    [catalog],
  );

  return (
    <Card>
      <CardHeader>
        <Text as="h2" variant="title-x-small" weight="bold">
          Create
        </Text>
      </CardHeader>
      <CardBody>
        {templates.loading && <Skeleton width="100%" height={120} />}
        {templates.error && (
          <Alert
            status="danger"
            title="The templates could not be read"
            description={templates.error.message}
          />
        )}
        {templates.value?.items.length === 0 && (
          <Text color="secondary">No golden template is registered yet.</Text>
        )}
        <ul className={styles.list}>
          {templates.value?.items.map(template => (
            <li key={stringifyEntityRef(template)}>
              <span className={styles.grow}>
                <Link
                  href={`/create/templates/${
                    template.metadata.namespace ?? 'default'
                  }/${template.metadata.name}`}
                >
                  {template.metadata.title ?? template.metadata.name}
                </Link>
                <p className={styles.description}>
                  {template.metadata.description}
                </p>
              </span>
            </li>
          ))}
        </ul>
      </CardBody>
      <CardFooter>
        <ButtonLink href="/create" variant="primary">
          Create a service
        </ButtonLink>
      </CardFooter>
    </Card>
  );
}
