import { toastApiRef, useApi } from '@backstage/frontend-plugin-api';
import {
  Button,
  Card,
  CardBody,
  CardHeader,
  Flex,
  Skeleton,
  Text,
} from '@backstage/ui';
import { RiKey2Line } from '@remixicon/react';
import { formatTimestamp } from '@rocket/rocket-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { provisioningApiRef } from '../api/ProvisioningApi';
import { Note } from '../shared/Note';
import styles from './CloneCard.module.css';
import { CopyButton } from './CopyButton';

function Command(props: { label: string; text: string }) {
  return (
    <div className={styles.command}>
      <code className={styles.code}>{props.text}</code>
      <CopyButton label={`Copy ${props.label}`} text={() => props.text} />
    </div>
  );
}

/** How to get the code, with a password that is made on request and shown once. */
export function CloneCard({ repository }: { repository: string }) {
  const provisioning = useApi(provisioningApiRef);
  const toast = useApi(toastApiRef);
  const { data, error, isPending } = useQuery({
    queryKey: ['repository', repository],
    queryFn: async ({ signal }) =>
      (await provisioning.getRepository(repository, signal)) ?? null,
    staleTime: 60_000,
  });
  const token = useMutation({
    // Nothing that holds a password stays in memory for longer than it is shown.
    gcTime: 0,
    mutationFn: (access: 'read' | 'write') =>
      provisioning.createGitToken({ repository, access }),
    onError: failure =>
      toast.post({
        title: 'No password was made',
        description: failure.message,
        status: 'danger',
      }),
  });

  return (
    <Card id="code">
      <CardHeader>
        <Text as="h3" variant="title-x-small" weight="bold">
          Code
        </Text>
      </CardHeader>
      <CardBody>
        <Flex direction="column" gap="3">
          {isPending && <Skeleton height={40} aria-hidden="true" />}
          {error && (
            <Note tone="negative" live>
              The repository could not be read: {error.message}
            </Note>
          )}
          {data === null && (
            <Note tone="neutral">
              Rocket's Git host has no repository named {repository}.
            </Note>
          )}
          {data && (
            <>
              <Command
                label="the clone command"
                text={`git clone ${data.cloneUrl}`}
              />
              <Text as="p" variant="body-small" color="secondary">
                Git asks for a user name and a password. The user name can be
                anything; make a password here.
              </Text>
              {!token.data && (
                <Flex gap="2" className={styles.buttons}>
                  <Button
                    size="small"
                    variant="secondary"
                    iconStart={<RiKey2Line />}
                    isPending={token.isPending && token.variables === 'read'}
                    isDisabled={token.isPending}
                    onPress={() => token.mutate('read')}
                  >
                    Make a password to clone
                  </Button>
                  <Button
                    size="small"
                    variant="secondary"
                    isPending={token.isPending && token.variables === 'write'}
                    isDisabled={token.isPending}
                    onPress={() => token.mutate('write')}
                  >
                    Make one to clone and push
                  </Button>
                </Flex>
              )}
              {token.data && (
                <div role="status" className={styles.secret}>
                  <Text as="p" variant="body-small" weight="bold">
                    Copy it now, it is not shown again
                  </Text>
                  <Command label="the password" text={token.data.token} />
                  <Text as="p" variant="body-small" color="secondary">
                    {token.data.access === 'write'
                      ? 'To clone and push'
                      : 'To clone'}{' '}
                    until {formatTimestamp(token.data.expiresAt)}
                  </Text>
                  <Button
                    size="small"
                    variant="secondary"
                    onPress={() => token.reset()}
                  >
                    Hide it
                  </Button>
                </div>
              )}
            </>
          )}
        </Flex>
      </CardBody>
    </Card>
  );
}
