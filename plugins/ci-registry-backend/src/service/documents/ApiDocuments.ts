import {
  getCompoundEntityRef,
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import type {
  ApiDocumentReport,
  ApiDocumentVersion,
  PushProblem,
  PushResponse,
  PushSource,
} from '@rocket/plugin-ci-registry-common';
import type {
  DocumentStore,
  StoredDocument,
} from '../../database/documents/DocumentStore';
import { isOlder, loadAncestry } from '../../database/commitOrder';
import type {
  DocumentWriter,
  PushCheckContext,
  PushContext,
} from '../../database/PushPart';
import { sha256 } from '../canonical';
import { compareDocuments, type Comparison } from './compare';
import { DocumentProblem, parseDocument, type ParsedDocument } from './parse';
import type { DocumentSettings } from './settings';

/** Comparisons that are remembered between the check of a push and its transaction. */
const REMEMBERED = 256;
/** A push may take this many times as long to compare as one document. */
const PATIENCE = 3;
/** Differences in one warning; the version holds them all. */
const NAMED = 3;

/** What `check` says of a push was found when its entities were made. */
type Notes = { problems: PushProblem[]; parsed: Map<string, ParsedDocument> };

const problem = (
  field: string,
  message: string,
  severity: PushProblem['severity'] = 'error',
): PushProblem => ({ field, message, severity });

/** API documents: checked, made into API entities, compared, and kept version by version. */
export class ApiDocuments implements DocumentWriter {
  readonly #store: DocumentStore;
  readonly #findComponent: (ref: string) => Promise<Entity | undefined>;
  readonly #settings: DocumentSettings;
  readonly #notes = new WeakMap<PushCheckContext, Notes>();
  readonly #comparisons = new Map<string, Promise<Comparison>>();
  /** Time that is left to compare what a push brought, ms; its source is the same object in check and transaction. */
  readonly #left = new WeakMap<PushSource, number>();

  constructor(options: {
    store: DocumentStore;
    /** The component that provides an API, when the push does not hold it. */
    findComponent: (ref: string) => Promise<Entity | undefined>;
    settings: DocumentSettings;
  }) {
    this.#store = options.store;
    this.#findComponent = options.findComponent;
    this.#settings = options.settings;
  }

  /** Documents that are wrong make no entity; `check` of the same push says why. */
  async entities(
    reports: ApiDocumentReport[],
    known: { pushed: Map<string, Entity>; stored: Map<string, Entity> },
    context: PushCheckContext,
  ): Promise<Entity[]> {
    const notes: Notes = { problems: [], parsed: new Map() };
    this.#notes.set(context, notes);
    const made: Entity[] = [];
    for (const [index, report] of reports.entries()) {
      const at = `documents.${index}`;
      const parsed = this.#parse(report, at, notes);
      if (parsed && reports.findIndex(r => r.api === report.api) !== index) {
        notes.problems.push(
          problem(`${at}.api`, `${report.api} is in the push twice`),
        );
        continue;
      }
      const component =
        known.pushed.get(report.component) ??
        (await this.#findComponent(report.component));
      if (!component) {
        notes.problems.push(
          problem(
            `${at}.component`,
            `${report.component} is not known; push it with its document or before`,
          ),
        );
      }
      if (!parsed || !component) continue;
      this.#checkProvides(report, component, at, notes);
      made.push(
        apiEntity(
          report,
          component,
          known.pushed.get(report.api) ?? known.stored.get(report.api),
          parsed,
        ),
      );
    }
    return made;
  }

  async check(
    reports: ApiDocumentReport[],
    context: PushCheckContext,
  ): Promise<PushProblem[]> {
    const notes = this.#notes.get(context);
    const problems = notes?.problems ?? [];
    const latest = await this.#store.latest(reports.map(({ api }) => api));
    for (const [index, report] of reports.entries()) {
      const before = latest.get(report.api);
      if (!notes?.parsed.has(report.api) || !before) continue;
      const { changes } = await this.#compare(before, report, context.source);
      const breaking = (changes ?? []).filter(
        ({ severity }) => severity === 'breaking',
      );
      if (breaking.length) {
        const named = breaking
          .slice(0, NAMED)
          .map(({ location, message }) => `${location}: ${message}`);
        const more = breaking.length - named.length;
        problems.push(
          problem(
            `documents.${index}.definition`,
            `breaks clients of version ${before.version.version}: ${named.join(
              '; ',
            )}${more > 0 ? `; and ${more} more` : ''}`,
            'warning',
          ),
        );
      }
    }
    return problems;
  }

  async write(
    context: PushContext,
    reports: ApiDocumentReport[],
  ): Promise<PushResponse['documents']> {
    const { tx, source } = context;
    const latest = await this.#store.latest(
      reports.map(({ api }) => api),
      tx,
    );
    const [isAncestor] = await loadAncestry(tx, [
      { source, others: [...latest.values()].map(({ seen }) => seen.commit) },
    ]);
    const results: PushResponse['documents'] = [];
    for (const report of reports) {
      const before = latest.get(report.api);
      const pushed = { commit: source.commit, time: Date.parse(source.time) };
      if (before && isOlder(pushed, before.seen, isAncestor)) {
        results.push({
          api: report.api,
          outcome: 'superseded',
          version: before.version,
        });
      } else if (before && isSame(before, report)) {
        await this.#store.seen(tx, before.version, pushed);
        results.push({
          api: report.api,
          outcome: 'unchanged',
          version: before.version,
        });
      } else {
        const version = await this.#newVersion(context, report, before);
        await this.#store.add(
          tx,
          { version, definition: report.definition, seen: pushed },
          this.#settings.versions,
        );
        results.push({
          api: report.api,
          outcome: before ? 'updated' : 'created',
          version,
        });
      }
    }
    return results;
  }

  async #newVersion(
    { source, now }: PushContext,
    report: ApiDocumentReport,
    before: StoredDocument | undefined,
  ): Promise<ApiDocumentVersion> {
    const comparison = before && (await this.#compare(before, report, source));
    return {
      api: report.api,
      version: (before?.version.version ?? 0) + 1,
      format: report.format,
      hash: sha256(report.definition),
      commit: source.commit,
      ...(source.pipeline && { pipeline: source.pipeline }),
      pushedAt: new Date(now).toISOString(),
      changes: comparison?.changes ?? null,
      ...(comparison?.changes === null && {
        notCompared: comparison.notCompared,
      }),
    };
  }

  /**
   * Known to the transaction from the check before it, unless another push got in between: the answer is the same for the same two
   * texts.
   */
  async #compare(
    before: StoredDocument,
    report: ApiDocumentReport,
    source: PushSource,
  ): Promise<Comparison> {
    const key = [
      before.version.format,
      before.version.hash,
      report.format,
      sha256(report.definition),
    ].join(' ');
    const known = this.#comparisons.get(key);
    if (known) return known;
    const { timeoutMs } = this.#settings;
    const left = this.#left.get(source) ?? PATIENCE * timeoutMs;
    if (left <= 0) {
      return {
        changes: null,
        notCompared: `the documents of the push took longer than ${
          (PATIENCE * timeoutMs) / 1000
        } seconds to compare`,
      };
    }
    const since = Date.now();
    const found = compareDocuments(
      { format: before.version.format, definition: before.definition },
      report,
      { timeoutMs: Math.min(timeoutMs, left) },
    );
    this.#comparisons.set(key, found);
    const [oldest] = this.#comparisons.keys();
    if (this.#comparisons.size > REMEMBERED) this.#comparisons.delete(oldest);
    await found;
    this.#left.set(source, left - (Date.now() - since));
    return found;
  }

  #parse(
    { api, format, definition }: ApiDocumentReport,
    at: string,
    notes: Notes,
  ): ParsedDocument | undefined {
    const field = `${at}.definition`;
    const size = Buffer.byteLength(definition);
    const { maxBytes } = this.#settings;
    if (size > maxBytes) {
      notes.problems.push(
        problem(
          field,
          `has ${size} bytes, ${maxBytes} are allowed; split the API, or have ciRegistry.documents.maxBytes raised`,
        ),
      );
      return undefined;
    }
    try {
      const parsed = parseDocument(format, definition);
      notes.parsed.set(api, parsed);
      return parsed;
    } catch (error) {
      if (!(error instanceof DocumentProblem)) throw error;
      notes.problems.push(problem(field, error.message));
      return undefined;
    }
  }

  /** The portal shows who provides an API by what the component says. */
  #checkProvides(
    { api, component: ref }: ApiDocumentReport,
    component: Entity,
    at: string,
    notes: Notes,
  ): void {
    const { namespace: defaultNamespace } = getCompoundEntityRef(component);
    const provided = [component.spec?.providesApis ?? []].flat();
    const named = provided.some(
      name =>
        typeof name === 'string' &&
        stringifyEntityRef(
          parseEntityRef(name, { defaultKind: 'API', defaultNamespace }),
        ) === api,
    );
    if (!named) {
      notes.problems.push(
        problem(
          `${at}.component`,
          `${ref} does not name ${api} in spec.providesApis, so the portal shows the API without its component`,
          'warning',
        ),
      );
    }
  }
}

function isSame({ version }: StoredDocument, report: ApiDocumentReport) {
  return (
    version.format === report.format &&
    version.hash === sha256(report.definition)
  );
}

/** The API with this definition; what the document does not say is the component's, or stays as it is. */
function apiEntity(
  { api, format, definition }: ApiDocumentReport,
  component: Entity,
  present: Entity | undefined,
  { title }: ParsedDocument,
): Entity {
  const { namespace, name } = parseEntityRef(api);
  const from = getCompoundEntityRef(component).namespace;
  const refOf = (value: unknown, defaultKind: string) =>
    typeof value === 'string'
      ? stringifyEntityRef(
          parseEntityRef(value, { defaultKind, defaultNamespace: from }),
        )
      : undefined;
  const system = refOf(component.spec?.system, 'System');
  return {
    ...(present ?? { apiVersion: 'backstage.io/v1alpha1', kind: 'API' }),
    metadata: present?.metadata ?? {
      name,
      ...(namespace !== 'default' && { namespace }),
      ...(title && { title }),
    },
    spec: {
      lifecycle: component.spec?.lifecycle ?? 'production',
      ...present?.spec,
      owner: refOf(component.spec?.owner, 'Group') ?? present?.spec?.owner,
      ...(system && { system }),
      type: format,
      definition,
    },
  } as Entity;
}
