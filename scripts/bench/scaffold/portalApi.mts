/** The portal as another program meets it: the scaffolder, the Git host and the runtime over HTTP, as the guest. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../lib/console.mts';

const TIMEOUT_MS = 30_000;

export const pause = (ms: number) =>
  new Promise(resolve => setTimeout(resolve, ms));

export interface Phase {
  phase: string;
  status: string;
  startedAt?: string;
  finishedAt?: string;
}

export interface Service {
  state: string;
  message?: string;
  url?: string;
  commit?: string;
  phases: Phase[];
  deployment?: { commit: string; status: string; message?: string };
}

export interface TaskEvent {
  createdAt: string;
  type: string;
  body: { message: string; stepId?: string; status?: string };
}

export class PortalApi {
  readonly #url: string;
  #token = '';
  #tokenUntil = 0;

  constructor(url: string) {
    this.#url = url;
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    if (Date.now() > this.#tokenUntil) await this.#enter();
    const response = await fetch(`${this.#url}/api/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        'content-type': 'application/json',
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Failure(
        `${method} /api/${path} was answered ${response.status}.`,
        text.slice(0, 500),
      );
    }
    return JSON.parse(text) as T;
  }

  service(name: string): Promise<Service> {
    return this.call('GET', `provisioning/services/${name}`);
  }

  /** Starts the template as the form does. @returns the task's id */
  async startTask(template: string, values: object): Promise<string> {
    const { id } = await this.call<{ id: string }>(
      'POST',
      'scaffolder/v2/tasks',
      { templateRef: `template:default/${template}`, values, secrets: {} },
    );
    return id;
  }

  /** Waits for its end. @throws Failure with what it said last when it did not complete */
  async endOfTask(id: string, seconds: number): Promise<TaskEvent[]> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const { status } = await this.call<{ status: string }>(
        'GET',
        `scaffolder/v2/tasks/${id}`,
      );
      const over = !['open', 'processing'].includes(status);
      if (over || Date.now() > deadline) {
        const events = await this.call<TaskEvent[]>(
          'GET',
          `scaffolder/v2/tasks/${id}/events`,
        );
        if (status === 'completed') return events;
        throw new Failure(
          `The run of the template is ${status}.`,
          ...events.slice(-5).map(event => event.body.message),
        );
      }
      await pause(250);
    }
  }

  /** Commits what `change` does to a clone, and pushes it. @returns the commit */
  async push(
    repository: string,
    message: string,
    change: (folder: string) => void,
  ): Promise<string> {
    const { token } = await this.call<{ token: string }>(
      'POST',
      'provisioning/git-tokens',
      { repository, access: 'write' },
    );
    const { port } = new URL(this.#url);
    const folder = mkdtempSync(join(tmpdir(), 'rocket-bench-clone-'));
    const git = (...args: string[]) =>
      execFileSync('git', args, {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env.PATH,
          HOME: folder,
          GIT_TERMINAL_PROMPT: '0',
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_AUTHOR_NAME: 'Bench',
          GIT_AUTHOR_EMAIL: 'bench@example.com',
          GIT_COMMITTER_NAME: 'Bench',
          GIT_COMMITTER_EMAIL: 'bench@example.com',
        },
      }).trim();
    try {
      git(
        'clone',
        '-q',
        `http://git:${token}@localhost:${port}/api/provisioning/git/${repository}.git`,
        '.',
      );
      change(folder);
      git('add', '-A');
      git('commit', '-q', '-m', message);
      git('push', '-q', 'origin', 'HEAD');
      return git('rev-parse', 'HEAD');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Deploys the commit and waits for the end of that, well or not. */
  async deploy(
    name: string,
    owner: string,
    commit: string,
    seconds = 600,
  ): Promise<Service> {
    await this.call('POST', 'provisioning/services', {
      name,
      owner,
      repository: name,
      entityRef: `component:default/${name}`,
      criticalPath: 'transaction-posting',
      ref: commit,
    });
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const service = await this.service(name);
      // Failed is told before the version that served is back in the books.
      const over =
        service.deployment?.commit === commit &&
        service.deployment.status !== 'running' &&
        !['deploying', 'restarting'].includes(service.state);
      if (over && (service.state === 'healthy' || Date.now() > deadline)) {
        return service;
      }
      if (Date.now() > deadline) {
        throw new Failure(
          `The deployment of ${commit} did not end in ${seconds} s.`,
          JSON.stringify(service.deployment),
        );
      }
      await pause(100);
    }
  }

  async #enter() {
    const response = await fetch(`${this.#url}/api/auth/guest/refresh`, {
      headers: { 'x-requested-with': 'XMLHttpRequest' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) {
      throw new Failure(`The guest cannot sign in: ${response.status}.`);
    }
    const body = (await response.json()) as {
      backstageIdentity: { token: string };
    };
    this.#token = body.backstageIdentity.token;
    this.#tokenUntil = Date.now() + 10 * 60_000;
  }
}
