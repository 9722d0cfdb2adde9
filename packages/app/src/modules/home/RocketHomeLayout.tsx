import type { HomePageLayoutProps } from '@backstage/plugin-home-react/alpha';
import { identityApiRef, useApi } from '@backstage/frontend-plugin-api';
import { Container, Flex, Grid, Text } from '@backstage/ui';
import useAsync from 'react-use/esm/useAsync';
import { CreateCard } from './CreateCard';
import { OwnedCard } from './OwnedCard';
import styles from './RocketHomeLayout.module.css';

/** The one widget that has a place here; stock ones (clock, jokes, ...) have none. */
const CRITICAL_PATHS_WIDGET = 'RocketCriticalPaths';

/** The reader's critical paths, what they own, and Create. */
export function RocketHomeLayout(props: HomePageLayoutProps) {
  const identity = useApi(identityApiRef);
  const profile = useAsync(() => identity.getProfileInfo(), [identity]);
  const paths = props.widgets.find(w => w.name === CRITICAL_PATHS_WIDGET);
  const name = profile.value?.displayName?.split(' ')[0];

  return (
    <main>
      <Container>
        <Text
          as="h1"
          variant="title-small"
          weight="bold"
          className={styles.title}
        >
          {name ? `Welcome, ${name}` : 'Welcome'}
        </Text>
        <Flex direction="column" gap="4" className={styles.page}>
          {paths && <section>{paths.component}</section>}
          <Grid.Root columns={{ initial: '1', md: '12' }} gap="4">
            <Grid.Item colSpan={{ initial: '1', md: '7' }}>
              <OwnedCard />
            </Grid.Item>
            <Grid.Item colSpan={{ initial: '1', md: '5' }}>
              <CreateCard />
            </Grid.Item>
          </Grid.Root>
        </Flex>
      </Container>
    </main>
  );
}
