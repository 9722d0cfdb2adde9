import type { ManagedObjects } from '../store/ManagedObjects';

const MOST_KEYS = 100;
const LONGEST_KEY = 128;
const LONGEST_VALUE = 256;

type Fault = { type: string; message: string };
type Tag = { key: string; values?: string[] | null };

/** Changes the tags of entities. What is wrong is told in `errors` of the answer, as New Relic does. */
export class Tagging {
  constructor(
    private readonly managed: ManagedObjects,
    private readonly exists: (guid: string) => boolean,
  ) {}

  add({ guid, tags }: { guid: string; tags: Tag[] }) {
    return this.change(guid, tags, old => {
      for (const { key, values } of tags) {
        old.set(key, [
          ...new Set([...(old.get(key) ?? []), ...(values ?? [])]),
        ]);
      }
    });
  }

  replace({ guid, tags }: { guid: string; tags: Tag[] }) {
    return this.change(guid, tags, old => {
      old.clear();
      for (const { key, values } of tags) old.set(key, [...(values ?? [])]);
    });
  }

  delete({ guid, tagKeys }: { guid: string; tagKeys: string[] }) {
    return this.change(guid, [], old =>
      tagKeys.forEach(key => old.delete(key)),
    );
  }

  deleteValues({
    guid,
    tagValues,
  }: {
    guid: string;
    tagValues: { key: string; value: string }[];
  }) {
    return this.change(guid, [], old => {
      for (const { key, value } of tagValues) {
        const left = (old.get(key) ?? []).filter(v => v !== value);
        if (left.length > 0) old.set(key, left);
        else old.delete(key);
      }
    });
  }

  private async change(
    guid: string,
    tags: Tag[],
    act: (old: Map<string, string[]>) => void,
  ): Promise<{ errors: Fault[] }> {
    if (!this.exists(guid)) {
      return {
        errors: [{ type: 'NOT_FOUND', message: `Entity not found: ${guid}` }],
      };
    }
    const errors = tags.flatMap(check);
    const changed = this.managed.tagsOf(guid);
    act(changed);
    if (changed.size > MOST_KEYS) {
      errors.push({
        type: 'TOO_MANY_TAG_KEYS',
        message: `An entity has at most ${MOST_KEYS} tag keys`,
      });
    }
    if (errors.length === 0) {
      this.managed.setTags(guid, changed);
      await this.managed.save();
    }
    return { errors };
  }
}

function check({ key, values }: Tag): Fault[] {
  const faults: Fault[] = [];
  if (key.trim() === '' || key.length > LONGEST_KEY || key.includes(':')) {
    faults.push({
      type: 'INVALID_KEY',
      message: `The key '${key}' must have 1 to ${LONGEST_KEY} characters without ':'`,
    });
  }
  for (const value of values ?? []) {
    if (value === '' || value.length > LONGEST_VALUE || value.includes(':')) {
      faults.push({
        type: 'INVALID_VALUE',
        message: `The value '${value}' of '${key}' must have 1 to ${LONGEST_VALUE} characters without ':'`,
      });
    }
  }
  return faults;
}
