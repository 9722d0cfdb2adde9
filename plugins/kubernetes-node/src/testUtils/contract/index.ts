/* eslint-disable jest/no-export, jest/valid-title -- a suite for several test files */
import { accessCases } from './accessCases';
import { applyCases } from './applyCases';
import {
  contractContext,
  namespaceRef,
  PATIENCE,
  refOf,
  WIDGETS,
  type Ability,
  type ContractSubject,
} from './context';
import { listCases } from './listCases';
import { objectCases } from './objectCases';

export type { Ability, ContractSubject } from './context';

/**
 * What every API server does for the client. It runs on the real one and on the
 * fake, so that the fake stays honest; what a server cannot do is in `cannot`,
 * with the reason, and is reported as not run.
 */
export function clientContract(
  title: string,
  start: () => Promise<ContractSubject>,
  cannot: Partial<Record<Ability, string>> = {},
): void {
  describe(title, () => {
    let subject: ContractSubject;
    const context = contractContext(() => subject, cannot);
    const { client, namespace, makeNamespace, gone } = context;

    beforeAll(async () => {
      subject = await start();
      await makeNamespace(namespace);
      await client.apply(WIDGETS);
      await client.waitUntil(
        {
          apiVersion: WIDGETS.apiVersion,
          kind: WIDGETS.kind,
          fieldSelector: `metadata.name=${WIDGETS.metadata.name}`,
        },
        ([definition]) =>
          (definition?.status as any)?.conditions?.find(
            (c: any) => c.type === 'Established' && c.status === 'True',
          ),
        PATIENCE,
      );
    }, 90_000);

    afterAll(async () => {
      await client.delete(namespaceRef(namespace));
      await gone(namespace);
      await client.delete(refOf(WIDGETS));
      await subject.close();
    }, 90_000);

    applyCases(context);
    objectCases(context);
    listCases(context);
    accessCases(context);
  });
}
