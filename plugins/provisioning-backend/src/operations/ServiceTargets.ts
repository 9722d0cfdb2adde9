import { parseEntityRef } from '@backstage/catalog-model';
import { NotFoundError } from '@backstage/errors';
import type {
  DeployEnvironment,
  EnvironmentDirectory,
} from '../environments/EnvironmentDirectory';
import { environmentServiceName } from '../environments/names';
import { LOCAL } from '../environments/settings';
import type { EffectLedger } from '../effects/EffectLedger';
import type { ServiceRecord, ServiceStore } from '../service/ServiceStore';

/** A component's service in one environment, whether it exists or not. */
export interface ServiceTarget {
  /** Name of its record. */
  name: string;
  environment: DeployEnvironment;
  /** As records and effects name it: the runtime itself has none. */
  environmentName?: string;
  owner: string;
  repository: string;
  criticalPath?: string;
  /** What there is of it. */
  record?: ServiceRecord;
}

/** Finds out which service an operation is about. */
export class ServiceTargets {
  readonly #services: Pick<ServiceStore, 'list'>;
  readonly #environments: EnvironmentDirectory;
  readonly #ledger: Pick<EffectLedger, 'list'>;

  constructor(deps: {
    services: Pick<ServiceStore, 'list'>;
    environments: EnvironmentDirectory;
    ledger: Pick<EffectLedger, 'list'>;
  }) {
    this.#services = deps.services;
    this.#environments = deps.environments;
    this.#ledger = deps.ledger;
  }

  /** @throws NotFoundError when there is no such environment, or nothing of the component is known. */
  async find(subject: string, name: string = LOCAL): Promise<ServiceTarget> {
    const environment = await this.#environments.find(name);
    if (!environment) {
      throw new NotFoundError(`There is no environment '${name}'`);
    }
    const records = (await this.#services.list()).filter(
      record => record.entityRef === subject,
    );
    const record = records.find(one => (one.environment ?? LOCAL) === name);
    const environmentName = name === LOCAL ? undefined : name;
    const own = record ?? (await this.base(subject));
    const plain = parseEntityRef(subject).name.toLocaleLowerCase('en-US');
    return {
      name:
        record?.name ??
        (environmentName
          ? environmentServiceName(plain, environmentName)
          : plain),
      environment,
      environmentName,
      owner: own.owner,
      repository: own.repository,
      criticalPath: own.criticalPath,
      record,
    };
  }

  /** Whose it is and where it comes from, whatever the environment. */
  async base(
    subject: string,
  ): Promise<Pick<ServiceTarget, 'owner' | 'repository' | 'criticalPath'>> {
    const records = (await this.#services.list()).filter(
      record => record.entityRef === subject,
    );
    return (
      records.find(one => !one.environment) ??
      records[0] ??
      this.#fromRepository(subject)
    );
  }

  /** Like `find`, for what needs a service that was deployed. */
  async require(subject: string, name?: string) {
    const target = await this.find(subject, name);
    if (!target.record?.runningCommit) {
      throw new NotFoundError(
        `No version of ${subject} has ever become healthy in ${target.environment.name}; deploy one first`,
      );
    }
    return { ...target, record: target.record };
  }

  async #fromRepository(
    subject: string,
  ): Promise<Pick<ServiceTarget, 'owner' | 'repository' | 'criticalPath'>> {
    const [repository] = await this.#ledger.list({
      subject,
      type: 'git.repository',
      states: ['live'],
    });
    if (!repository) {
      throw new NotFoundError(
        `Rocket keeps neither a service nor a repository of ${subject}; its pipeline deploys it`,
      );
    }
    return { owner: repository.owner, repository: repository.reference };
  }
}
