import { InputError } from '@backstage/errors';
import type { IsolationReport } from '@rocket/plugin-provisioning-common';
import { checkIsolation } from './databaseInspection';
import type { ServiceDatabases } from './ServiceDatabases';

/** A PostgreSQL server for services' databases. */
export interface DatabaseServer {
  /** `local`: the local runtime's; others are named in `provisioning.databases.servers`. */
  name: string;
  databases: ServiceDatabases;
  /** Where its data lies, when that is this machine. */
  directory?: string;
}

/** The servers of this installation. */
export class DatabaseServers {
  readonly #byName: ReadonlyMap<string, DatabaseServer>;

  constructor(servers: DatabaseServer[]) {
    this.#byName = new Map(servers.map(server => [server.name, server]));
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** @throws InputError that names the servers there are. */
  get(name: string): DatabaseServer {
    const server = this.#byName.get(name);
    if (!server) {
      throw new InputError(
        `server: there is no database server '${name}'; there are ${
          [...this.#byName.keys()].join(', ') || 'none'
        }`,
      );
    }
    return server;
  }

  /** @param services - names of the services whose credentials may be here */
  async checkIsolation(services: string[]): Promise<IsolationReport[]> {
    const reports: IsolationReport[] = [];
    for (const { name, databases } of this.#byName.values()) {
      reports.push(await checkIsolation(databases, services, name));
    }
    return reports;
  }
}
