import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormatsModule from 'ajv-formats';

// The package is CommonJS: under plain ESM the function is one level deeper than its types say.
const addFormats = addFormatsModule as unknown as (ajv: Ajv) => Ajv;

/** CloudEvents 1.0 in structured mode. `source` and `id` together name an event: a repetition has the same. */
export type CloudEvent = {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  time: string;
  datacontenttype?: string | undefined;
  subject?: string | undefined;
  data: Record<string, unknown>;
};

export const CLOUDEVENT_MEDIA_TYPE = 'application/cloudevents+json';

/** An event on its way out. Events of one aggregate are told in the order in which they happened. */
export type OutgoingEvent = { topic: string; aggregateId: string; event: CloudEvent };

const FOLDER = join(import.meta.dirname, '../../../contracts/events/schemas');
const ENDING = '.schema.json';

/** The JSON Schemas of `contracts/events/schemas`, one per type. They describe the whole event. */
export class EventSchemas {
  readonly #ajv: Ajv;
  readonly types: ReadonlySet<string>;

  constructor(folder = FOLDER) {
    this.#ajv = addFormats(new Ajv({ strict: false, allErrors: true }));
    const types = new Set<string>();
    for (const file of readdirSync(folder).filter(name => name.endsWith(ENDING))) {
      this.#ajv.addSchema(JSON.parse(readFileSync(join(folder, file), 'utf8')) as object, file);
      const type = file.slice(0, -ENDING.length);
      if (type !== 'common') types.add(type);
    }
    this.types = types;
  }

  /** What is wrong with the event, by JSON Pointer; nothing when it is valid. A type without a schema is wrong. */
  faults(event: CloudEvent): { pointer: string; message: string }[] {
    const validate = this.types.has(event.type) ? this.#ajv.getSchema(`${event.type}${ENDING}`) : undefined;
    if (validate === undefined) return [{ pointer: '/type', message: `${event.type} has no schema` }];
    return validate(event) ? [] : faultsOf(validate);
  }
}

function faultsOf(validate: ValidateFunction): { pointer: string; message: string }[] {
  const errors: Partial<ErrorObject>[] = validate.errors ?? [];
  return errors.map(error => ({ pointer: error.instancePath ?? '', message: error.message ?? 'is not valid' }));
}
