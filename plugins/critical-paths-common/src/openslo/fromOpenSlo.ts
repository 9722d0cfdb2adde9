import {
  CRITICAL_PATH_API_VERSION,
  CRITICAL_PATH_KIND,
  type CriticalPathObjective,
} from '../kind';
import {
  CriticalPathInputError,
  parseCriticalPath,
  type CriticalPathIssue,
} from '../parse';
import { oneOf } from '../schema';
import { OPENSLO_API_VERSION, OTHER_OBJECTIVES_ANNOTATION } from './documents';
import { isFields, SloReader, type Fields } from './SloReader';

/** Kinds of OpenSLO that say nothing about objectives. */
const IGNORED_KINDS = [
  'DataSource',
  'AlertPolicy',
  'AlertCondition',
  'AlertNotificationTarget',
];

/** What was read from OpenSLO. */
export interface OpenSloImport {
  objectives: CriticalPathObjective[];
  /** What was left out or taken for granted, for people. */
  notes: string[];
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80);
}

class Importer {
  readonly #documents: Fields[];
  readonly #issues: CriticalPathIssue[] = [];
  readonly notes: string[] = [];
  readonly objectives: CriticalPathObjective[] = [];

  constructor(documents: unknown[]) {
    this.#documents = documents.filter((document, index) => {
      const at = `documents[${index}]`;
      if (!isFields(document)) {
        this.#complain(at, 'must be an OpenSLO document', document);
        return false;
      }
      if (document.apiVersion !== OPENSLO_API_VERSION) {
        this.#complain(
          `${at}.apiVersion`,
          `must be ${OPENSLO_API_VERSION}`,
          document.apiVersion,
        );
        return false;
      }
      return true;
    }) as Fields[];
  }

  run(pathName: string): void {
    const slos = new SloReader(this.#documents, {
      complain: (...fault) => this.#complain(...fault),
      note: text => this.notes.push(text),
      objective: objective => this.objectives.push(objective),
    });
    const wanted = this.#wantedService(pathName);
    this.#documents.forEach((document, index) => {
      const at = `documents[${index}]`;
      const { kind } = document;
      if (kind === 'SLO') {
        const service = isFields(document.spec)
          ? document.spec.service
          : undefined;
        if (wanted === undefined || service === wanted) {
          slos.read(document, at);
        } else {
          this.notes.push(
            `${at} is about the service ${String(service)} and was left out`,
          );
        }
      } else if (kind === 'Service') {
        this.#service(document, at, wanted);
      } else if (IGNORED_KINDS.includes(kind as string)) {
        this.notes.push(
          `${at} is of kind ${kind}, which says nothing about objectives, and was left out`,
        );
      } else if (kind !== 'SLI') {
        this.#complain(
          `${at}.kind`,
          `must be ${oneOf(['SLO', 'SLI', 'Service', ...IGNORED_KINDS])}`,
          kind,
        );
      }
    });
    if (this.#issues.length === 0 && this.objectives.length === 0) {
      this.#complain('documents', 'must hold at least one SLO', undefined);
    }
    if (this.#issues.length > 0) {
      throw new CriticalPathInputError(this.#issues);
    }
  }

  /** The service whose SLOs are taken; undefined for all, when there is but one. */
  #wantedService(pathName: string): string | undefined {
    const services = new Set(
      this.#documents
        .filter(({ kind }) => kind === 'SLO')
        .map(({ spec }) => (isFields(spec) ? spec.service : undefined)),
    );
    if (services.size <= 1) {
      return undefined;
    }
    if (!services.has(pathName)) {
      this.#complain(
        'documents',
        `must have SLOs of the service ${pathName}, or of one service only`,
        [...services],
      );
    }
    return pathName;
  }

  #complain(field: string, message: string, found: unknown): void {
    this.#issues.push({
      field,
      message: `${field} ${message}, was ${show(found)}`,
    });
  }

  #service(document: Fields, at: string, wanted: string | undefined): void {
    const metadata = isFields(document.metadata) ? document.metadata : {};
    const text = isFields(metadata.annotations)
      ? metadata.annotations[OTHER_OBJECTIVES_ANNOTATION]
      : undefined;
    if (
      text === undefined ||
      (wanted !== undefined && metadata.name !== wanted)
    ) {
      return;
    }
    try {
      const others = JSON.parse(String(text));
      if (!Array.isArray(others)) {
        throw new Error('no list');
      }
      this.objectives.push(...others);
    } catch {
      this.#complain(
        `${at}.metadata.annotations["${OTHER_OBJECTIVES_ANNOTATION}"]`,
        'must be a JSON list of objectives',
        text,
      );
    }
  }
}

/**
 * Reads the objectives of a path from OpenSLO documents.
 *
 * @param documents - as parsed from YAML or JSON
 * @throws CriticalPathInputError with one issue per fault; each names the field,
 * for example `documents[1].spec.timeWindow[0].duration must be 1d, 7d, 28d or 30d, was "14d"`
 */
export function fromOpenSlo(
  documents: unknown[],
  path: { namespace: string; name: string },
): OpenSloImport {
  const importer = new Importer(documents);
  importer.run(path.name);
  // The objectives' own rules, as the catalog will apply them.
  const { objectives } = parseCriticalPath({
    apiVersion: CRITICAL_PATH_API_VERSION,
    kind: CRITICAL_PATH_KIND,
    metadata: { name: path.name, namespace: path.namespace },
    spec: {
      owner: 'group:default/owner',
      businessModel: 'domain:default/model',
      type: 'transaction',
      lifecycle: 'production',
      steps: [{ component: 'component:default/entry' }],
      objectives: importer.objectives,
    },
  });
  return { objectives, notes: importer.notes };
}
