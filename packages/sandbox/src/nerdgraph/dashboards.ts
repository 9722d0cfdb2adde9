import { randomUUID } from 'node:crypto';
import type { SandboxAccount } from '../store/EventStore';
import { entityGuid } from '../store/applications';
import type { Dashboard, ManagedObjects } from '../store/ManagedObjects';

const LONGEST_NAME = 255;
const MOST_PAGES = 25;
const COLUMNS = 12;

type Json = Record<string, any>;
type Fault = { type: string; description: string };

/** Dashboards of one account. What is wrong with one is told in `errors` of the answer, as New Relic does. */
export class Dashboards {
  constructor(
    private readonly managed: ManagedObjects,
    private readonly account: SandboxAccount,
    private readonly now: number,
  ) {}

  list(): Dashboard[] {
    return this.managed.state.dashboards.filter(
      ({ accountId }) => accountId === this.account.id,
    );
  }

  async create({ dashboard }: Json) {
    const errors = this.check(dashboard);
    if (errors.length > 0) return { entityResult: null, errors };
    const id = this.managed.newId();
    const created: Dashboard = {
      accountId: this.account.id,
      guid: entityGuid(this.account.id, 'VIZ', 'DASHBOARD', `da${id}`),
      ...this.contents(dashboard),
      createdAt: new Date(this.now).toISOString(),
      updatedAt: new Date(this.now).toISOString(),
    };
    this.managed.state.dashboards.push(created);
    await this.managed.save();
    return { entityResult: created, errors: null };
  }

  /** Takes the place of the whole dashboard. */
  async update({ guid, dashboard }: Json) {
    const found = this.list().find(known => known.guid === guid);
    if (!found) return { entityResult: null, errors: [notFound(guid)] };
    const errors = this.check(dashboard);
    if (errors.length > 0) return { entityResult: null, errors };
    Object.assign(found, this.contents(dashboard), {
      updatedAt: new Date(this.now).toISOString(),
    });
    await this.managed.save();
    return { entityResult: found, errors: null };
  }

  async delete({ guid }: Json) {
    const { state } = this.managed;
    const found = this.list().find(known => known.guid === guid);
    if (!found) return { status: 'FAILURE', errors: [notFound(guid)] };
    state.dashboards = state.dashboards.filter(known => known !== found);
    this.managed.setTags(guid, new Map());
    await this.managed.save();
    return { status: 'SUCCESS', errors: null };
  }

  private contents(dashboard: Json) {
    return {
      name: dashboard.name,
      description: dashboard.description ?? null,
      permissions: dashboard.permissions,
      pages: dashboard.pages.map((page: Json) => ({
        guid:
          page.guid ??
          entityGuid(this.account.id, 'VIZ', 'DASHBOARD', randomUUID()),
        name: page.name,
        description: page.description ?? null,
        widgets: page.widgets.map((widget: Json) => ({
          id: widget.id ?? this.managed.newId(),
          title: widget.title ?? '',
          layout: widget.layout ?? { column: 1, row: 1, width: 4, height: 3 },
          visualization: widget.visualization ?? { id: 'viz.line' },
          rawConfiguration: widget.rawConfiguration ?? {},
        })),
      })),
    };
  }

  private check(dashboard: Json): Fault[] {
    const faults: string[] = [];
    const named = (what: string, name: string) => {
      if (name.trim() === '' || name.length > LONGEST_NAME) {
        faults.push(`${what} must have 1 to ${LONGEST_NAME} characters`);
      }
    };
    named('Dashboard name', dashboard.name);
    if (dashboard.pages.length === 0 || dashboard.pages.length > MOST_PAGES) {
      faults.push(`A dashboard has 1 to ${MOST_PAGES} pages`);
    }
    for (const page of dashboard.pages) {
      named('Page name', page.name);
      for (const { title, layout, rawConfiguration } of page.widgets) {
        const { column, row, width, height } = layout ?? {};
        if (
          layout &&
          !(
            column >= 1 &&
            row >= 1 &&
            height >= 1 &&
            width >= 1 &&
            column + width - 1 <= COLUMNS
          )
        ) {
          faults.push(
            `Widget '${title}': layout is not within ${COLUMNS} columns`,
          );
        }
        for (const query of rawConfiguration?.nrqlQueries ?? []) {
          const accounts = query.accountIds ?? [query.accountId];
          if (typeof query.query !== 'string' || query.query.trim() === '') {
            faults.push(`Widget '${title}': a query is empty`);
          }
          if (accounts.some((id: unknown) => id !== this.account.id)) {
            faults.push(`Widget '${title}': no access to one of its accounts`);
          }
        }
      }
    }
    return faults.map(description => ({ type: 'INVALID_INPUT', description }));
  }
}

function notFound(guid: string): Fault {
  return {
    type: 'DASHBOARD_NOT_FOUND',
    description: `Dashboard not found: ${guid}`,
  };
}
