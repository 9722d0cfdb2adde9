/** The services that are registered: the same for both sides, as files on a web server for the one and as pushes for the other. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';

const TEAMS = 50;
const SYSTEMS = 100;

/** One service as its repository describes it: an owner, a system, two services that it calls. */
export function component(index: number, revision = 0): object {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: {
      name: `service-${index}`,
      description: `Service ${index}, revision ${revision}`,
      tags: ['nodejs', 'payments'],
    },
    spec: {
      type: 'service',
      lifecycle: 'production',
      owner: `group:default/team-${index % TEAMS}`,
      system: `system:default/system-${index % SYSTEMS}`,
      dependsOn: [1, 2].map(
        back =>
          `component:default/service-${index < back ? index : index - back}`,
      ),
    },
  };
}

/** The teams and systems that the services name, as a catalog file. */
export function organisation(): string {
  const teams = Array.from({ length: TEAMS }, (_, team) => ({
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Group',
    metadata: { name: `team-${team}` },
    spec: { type: 'team', children: [] },
  }));
  const systems = Array.from({ length: SYSTEMS }, (_, system) => ({
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'System',
    metadata: { name: `system-${system}` },
    spec: { owner: `group:default/team-${system % TEAMS}` },
  }));
  return [...teams, ...systems].map(entity => stringify(entity)).join('---\n');
}

/** Entities of `organisation()`. */
export const ORGANISATION_SIZE = TEAMS + SYSTEMS;

export interface GitHost {
  /** `host:port`. */
  host: string;
  /** Of the repository's catalog file. */
  fileOf(index: number): string;
  /** Requests so far. */
  reads(): number;
  /** Gives the file of this service another content from now on. */
  change(index: number, revision: number): void;
  stop(): void;
}

/** A web server on loopback that stands for the Git host: one file per repository, with an ETag. */
export async function startGitHost(): Promise<GitHost> {
  const revisions = new Map<number, number>();
  let reads = 0;
  const server = createServer((request, response) => {
    reads += 1;
    const index = Number(/^\/repo-(\d+)\//.exec(request.url ?? '')?.[1] ?? NaN);
    if (!Number.isInteger(index)) {
      response.writeHead(404).end();
      return;
    }
    const revision = revisions.get(index) ?? 0;
    const etag = `"${index}-${revision}"`;
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, { etag }).end();
      return;
    }
    response
      .writeHead(200, { etag, 'content-type': 'text/yaml' })
      .end(stringify(component(index, revision)));
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return {
    host,
    fileOf: index => `http://${host}/repo-${index}/catalog-info.yaml`,
    reads: () => reads,
    change: (index, revision) => revisions.set(index, revision),
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
