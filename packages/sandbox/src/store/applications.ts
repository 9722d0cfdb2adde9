/** An APM application, as NerdGraph shows it. */
export interface Application {
  accountId: number;
  appName: string;
  /** Number that New Relic's agents call the application id. */
  applicationId: number;
  /** base64 without padding of `accountId|APM|APPLICATION|applicationId`. */
  guid: string;
  /** Language of the agent, as it calls itself: nodejs, java, go. */
  language?: string;
  /** Labels of the agent, shown as tags. */
  labels: Record<string, string>;
}

/** What an agent tells about its application when it connects. */
export interface ApplicationRegistration {
  accountId: number;
  appName: string;
  language?: string;
  labels?: Record<string, string>;
}

/** GUID of an entity: base64 without padding of its four parts. */
export function entityGuid(
  accountId: number,
  domain: string,
  type: string,
  domainId: string | number,
): string {
  return Buffer.from(`${accountId}|${domain}|${type}|${domainId}`)
    .toString('base64')
    .replaceAll('=', '');
}

/**
 * Applications of all accounts. Ids are made from the name (FNV-1a, 31 bit),
 * so that they are the same in every run.
 */
export class Applications {
  private readonly byName = new Map<string, Application>();
  private readonly byGuid = new Map<string, Application>();

  /** Adds an application, or brings what is known of it up to date. */
  register(registration: ApplicationRegistration): Application {
    const { accountId, appName, language, labels } = registration;
    const key = `${accountId}|${appName}`;
    const known = this.byName.get(key);
    if (known) {
      if (language) known.language = language;
      if (labels) known.labels = { ...labels };
      return known;
    }
    let applicationId = hash(appName);
    let guid = entityGuid(accountId, 'APM', 'APPLICATION', applicationId);
    while (this.byGuid.has(guid)) {
      applicationId += 1;
      guid = entityGuid(accountId, 'APM', 'APPLICATION', applicationId);
    }
    const application: Application = {
      accountId,
      appName,
      applicationId,
      guid,
      language,
      labels: { ...labels },
    };
    this.byName.set(key, application);
    this.byGuid.set(guid, application);
    return application;
  }

  get(accountId: number, appName: string): Application | undefined {
    return this.byName.get(`${accountId}|${appName}`);
  }

  find(guid: string): Application | undefined {
    return this.byGuid.get(guid);
  }

  list(): Application[] {
    return [...this.byName.values()];
  }
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) {
    value = Math.imul(value ^ byte, 0x01000193);
  }
  return value >>> 1 || 1;
}
