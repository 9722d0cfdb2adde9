import { ProxiedSignInPage, SignInPage } from '@backstage/core-components';
import {
  configApiRef,
  githubAuthApiRef,
  useApi,
} from '@backstage/frontend-plugin-api';
import type { SignInPageProps } from '@backstage/plugin-app-react';
import { Alert, Button, Container, Flex, Text } from '@backstage/ui';
import { useState } from 'react';
import { LogoFull } from './Logo';
import styles from './RocketSignInPage.module.css';

function GuestRefused(props: { error?: Error; onRetry: () => void }) {
  // A refusal by the backend carries its own words as the cause.
  const cause = (props.error as { cause?: Error } | undefined)?.cause;
  const reason =
    cause?.message ??
    props.error?.message ??
    'Guest sign-in works only on the machine that runs Rocket.';
  return (
    <Flex direction="column" gap="4">
      <Alert
        status="danger"
        title="You cannot enter as a guest"
        description={reason}
      />
      <Button onPress={props.onRetry}>Try again</Button>
    </Flex>
  );
}

/**
 * GitHub where it is configured; otherwise the guest of this machine, whose
 * session the backend grants or refuses with its reason.
 */
export function RocketSignInPage(props: SignInPageProps) {
  const config = useApi(configApiRef);
  const [attempt, setAttempt] = useState(0);
  const [entered, setEntered] = useState(
    () => sessionStorage.getItem('rocket.guest') === 'entered',
  );

  if (config.has('auth.providers.github')) {
    return (
      <SignInPage
        {...props}
        title="Rocket"
        align="center"
        provider={{
          id: 'github-auth-provider',
          title: 'GitHub',
          message: 'Sign in with your GitHub account',
          apiRef: githubAuthApiRef,
        }}
      />
    );
  }

  const enter = () => {
    sessionStorage.setItem('rocket.guest', 'entered');
    setEntered(true);
    setAttempt(n => n + 1);
  };

  return (
    <main className={styles.page}>
      <section className={styles.panel} aria-label="About Rocket">
        <LogoFull />
        <h1 className={styles.claim}>
          From an idea to an owned, observable fintech service.
        </h1>
        <p className={styles.detail}>
          Golden templates, critical paths and their golden signals: one place
          for every team.
        </p>
      </section>
      <Container>
        <div className={styles.form}>
          {entered ? (
            <ProxiedSignInPage
              key={attempt}
              {...props}
              provider="guest"
              ErrorComponent={({ error }) => (
                <GuestRefused error={error} onRetry={enter} />
              )}
            />
          ) : (
            <Flex direction="column" gap="4">
              <Text as="h2" variant="title-medium" weight="bold">
                Welcome
              </Text>
              <Text color="secondary">
                This Rocket runs on your own machine. Enter as its guest, an
                engineer of the demo organisation.
              </Text>
              <Button onPress={enter}>Enter</Button>
            </Flex>
          )}
        </div>
      </Container>
    </main>
  );
}
