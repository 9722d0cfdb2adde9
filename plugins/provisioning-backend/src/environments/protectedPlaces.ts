import { parseEntityRef } from '@backstage/catalog-model';
import { NotAllowedError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { environmentServiceName } from './names';
import type { ConfiguredEnvironment } from './settings';

/** What somebody wants to change, whatever environment they say it is in. */
export interface Change {
  /** Type of the effect, for example `kubernetes.workload`. */
  type: string;
  reference: string;
  /** Entity ref of the component. */
  subject: string;
  environment?: string;
  intent: JsonObject;
}

/** Name of the environment that wants an approver for the change, if one does. */
export type ProtectedPlaces = (change: Change) => string | undefined;

/** The error for whoever goes around the approver. */
export const waitsForApprover = (environment: string) =>
  new NotAllowedError(
    `What changes in ${environment} waits for an approver; ask for an operation`,
  );

/**
 * Recognizes what is in an environment that wants approval by where it is:
 * by the runtime's `cluster` and `namespace`, and by the names that services
 * and their databases have there. What the request says of itself can only add to that.
 */
export function findProtectedPlaces(
  environments: Iterable<
    Pick<ConfiguredEnvironment, 'name' | 'approval' | 'settings'>
  >,
): ProtectedPlaces {
  const wanting = [...environments]
    .filter(({ approval }) => approval)
    .map(({ name, settings }) => ({
      name,
      cluster: settings.cluster,
      isNamespace: matcher(settings.namespace, name),
    }));
  return ({ type, reference, subject, environment, intent }) => {
    const service = parseEntityRef(subject).name.toLocaleLowerCase('en-US');
    const services = [
      intent.service,
      type.endsWith('.service') ? reference : undefined,
    ];
    return wanting.find(({ name, cluster, isNamespace }) => {
      if (environment === name || intent.environment === name) return true;
      if (
        cluster !== undefined &&
        intent.cluster === cluster &&
        isNamespace(intent.namespace)
      ) {
        return true;
      }
      return services.some(
        one =>
          typeof one === 'string' &&
          (one.endsWith(`-${name}`) ||
            // Long names are cut.
            one === environmentServiceName(service, name)),
      );
    })?.name;
  };
}

/**
 * Every name that a service's namespace can have in the environment: `{service}`
 * can be any of them. Without a namespace the runtime takes `<service>-<environment>`.
 */
function matcher(namespace: unknown, environment: string) {
  const parts = String(namespace ?? '{service}-{environment}')
    .replaceAll('{environment}', environment)
    .split('{service}')
    .map(part => part.replace(/[^a-z0-9-]/gi, '\\$&'));
  const pattern = new RegExp(`^${parts.join('.+')}$`);
  return (name: unknown) => typeof name === 'string' && pattern.test(name);
}
