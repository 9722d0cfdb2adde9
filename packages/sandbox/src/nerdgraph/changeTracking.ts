import { randomUUID } from 'node:crypto';
import {
  Application,
  AttributeValue,
  EventStore,
  StoredEvent,
} from '../store/EventStore';
import { Entities } from './entities';
import { nerdGraphError } from './errors';

const DAY = 86_400_000;
const LONGEST = 4096;
const CATEGORIES = [
  'Deployment',
  'Deployment Lifecycle',
  'Feature Flag',
  'Business Event',
  'Operational',
];

interface Rules {
  validationFlags?: string[] | null;
}

export interface DeploymentInput {
  entityGuid: string;
  version: string;
  deploymentType?: string | null;
  commit?: string | null;
  changelog?: string | null;
  deepLink?: string | null;
  description?: string | null;
  groupId?: string | null;
  user?: string | null;
  timestamp?: number | null;
}

export interface EventInput {
  categoryAndTypeData: {
    kind?: { category: string; type: string } | null;
    categoryFields?: {
      deployment?: Record<string, string | null> | null;
      featureFlag?: { featureFlagId: string } | null;
    } | null;
  };
  entitySearch: { query: string };
  customAttributes?: Record<string, unknown> | null;
  description?: string | null;
  groupId?: string | null;
  shortDescription?: string | null;
  timestamp?: number | null;
  user?: string | null;
}

/** The change tracking mutations: they become events that NRQL can read. */
export class ChangeTracking {
  constructor(
    private readonly store: EventStore,
    private readonly entities: Entities,
    private readonly now: number,
  ) {}

  /** Stores a `Deployment` event. */
  createDeployment(input: DeploymentInput, rules: Rules | null | undefined) {
    const application = this.entities.find(input.entityGuid);
    if (!application) {
      throw nerdGraphError(
        `Entity not found for guid: ${input.entityGuid}`,
        'BAD_USER_INPUT',
      );
    }
    const timestamp = this.timestamp(input.timestamp);
    const { entityGuid, timestamp: _, deploymentType, ...fields } = input;
    const values = {
      ...texts(fields, rules),
      deploymentType: deploymentType ?? 'BASIC',
      deploymentId: randomUUID(),
    };
    this.append(application, 'Deployment', timestamp, values);
    return { ...values, entityGuid, timestamp };
  }

  /** Stores a `ChangeTrackingEvent` event. */
  async createEvent(input: EventInput, rules: Rules | null | undefined) {
    const found = await this.entities.search(input.entitySearch.query);
    if (found.length !== 1) {
      throw nerdGraphError(
        `The entity search must match exactly one entity, it matches ${found.length}`,
        'BAD_USER_INPUT',
      );
    }
    const [application] = found;
    const timestamp = this.timestamp(input.timestamp);
    const { kind, categoryFields } = input.categoryAndTypeData;
    const { category, type } = this.kind(kind, categoryFields, rules);
    const details = texts(
      {
        ...categoryFields?.deployment,
        ...categoryFields?.featureFlag,
        shortDescription: input.shortDescription,
        description: input.description,
        groupId: input.groupId,
        user: input.user,
      },
      rules,
    );
    const values = {
      ...details,
      changeTrackingId: randomUUID(),
      category,
      type,
      categoryAndType: `${category} - ${type}`,
    };
    const custom = customAttributes(input.customAttributes);
    this.append(application, 'ChangeTrackingEvent', timestamp, {
      ...custom,
      ...values,
    });
    return {
      changeTrackingEvent: {
        __typename: eventType(category),
        ...values,
        timestamp,
        customAttributes: custom,
        entity: this.entities.show(application, true),
      },
      messages: [],
    };
  }

  private kind(
    kind: { category: string; type: string } | null | undefined,
    fields: EventInput['categoryAndTypeData']['categoryFields'],
    rules: Rules | null | undefined,
  ): { category: string; type: string } {
    let given = kind;
    if (!given && fields?.deployment) {
      given = { category: 'Deployment', type: 'Basic' };
    } else if (!given && fields?.featureFlag) {
      given = { category: 'Feature Flag', type: 'Basic' };
    }
    if (!given) {
      throw nerdGraphError(
        'categoryAndTypeData needs a kind',
        'BAD_USER_INPUT',
      );
    }
    const { category, type } = given;
    const known = CATEGORIES.find(
      name => name.toLowerCase() === category.toLowerCase(),
    );
    const anything = rules?.validationFlags?.includes(
      'ALLOW_CUSTOM_CATEGORY_OR_TYPE',
    );
    if (!known && !anything) {
      throw nerdGraphError(
        `Unknown category '${category}': use one of ${CATEGORIES.join(
          ', ',
        )}, or the flag ALLOW_CUSTOM_CATEGORY_OR_TYPE`,
        'BAD_USER_INPUT',
      );
    }
    return {
      category: known ?? category,
      type: known ? type.slice(0, 1).toUpperCase() + type.slice(1) : type,
    };
  }

  private timestamp(given: number | null | undefined): number {
    const timestamp = given ?? this.now;
    if (Math.abs(timestamp - this.now) > DAY) {
      throw nerdGraphError(
        'The timestamp must be within 24 hours of the present',
        'BAD_USER_INPUT',
      );
    }
    return timestamp;
  }

  private append(
    application: Application,
    eventType_: string,
    timestamp: number,
    values: Record<string, AttributeValue>,
  ) {
    const event: StoredEvent = {
      eventType: eventType_,
      timestamp,
      attributes: {
        ...values,
        'entity.guid': application.guid,
        'entity.name': application.appName,
        'entity.type': 'APPLICATION',
        entityGuid: application.guid,
        appName: application.appName,
      },
    };
    this.store.append(application.accountId, [event]);
  }
}

/** Fields that are given; too long ones are cut, or refused when a rule says so. */
function texts(
  fields: Record<string, string | null | undefined>,
  rules: Rules | null | undefined,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined) {
      if (
        value.length > LONGEST &&
        rules?.validationFlags?.includes('FAIL_ON_FIELD_LENGTH')
      ) {
        throw nerdGraphError(
          `${name} is longer than ${LONGEST} characters`,
          'BAD_USER_INPUT',
        );
      }
      result[name] = value.slice(0, LONGEST);
    }
  }
  return result;
}

function customAttributes(
  given: Record<string, unknown> | null | undefined,
): Record<string, AttributeValue> {
  const result: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(given ?? {})) {
    const type = typeof value;
    if (type !== 'string' && type !== 'number' && type !== 'boolean') {
      throw nerdGraphError(
        `customAttributes.${name} must be a string, a number or a boolean`,
        'BAD_USER_INPUT',
      );
    }
    result[name] = value as AttributeValue;
  }
  return result;
}

function eventType(category: string): string {
  if (category === 'Deployment') return 'ChangeTrackingDeploymentEvent';
  if (category === 'Feature Flag') return 'ChangeTrackingFeatureFlagEvent';
  return 'ChangeTrackingGenericEvent';
}
