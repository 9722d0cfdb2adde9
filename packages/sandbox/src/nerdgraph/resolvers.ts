import { setTimeout as sleep } from 'node:timers/promises';
import { GraphQLResolveInfo } from 'graphql';
import { Misbehaviour } from '../misbehaviour/Misbehaviour';
import { NrqlError } from '../nrql/parse';
import { NrdbResultContainer, runNrql } from '../nrql/runNrql';
import { EventStore, SandboxAccount } from '../store/EventStore';
import type { ManagedObjects } from '../store/ManagedObjects';
import { Alerts } from './alerts';
import { ChangeTracking, DeploymentInput, EventInput } from './changeTracking';
import { Entities } from './entities';
import { nerdGraphError } from './errors';
import { Tagging } from './tagging';

const DEFAULT_TIMEOUT_SECONDS = 5;
const MOST_GUIDS = 25;
/** There is one person, who owns all keys. */
const USER = {
  id: 1000001,
  name: 'Rocket Sandbox',
  email: 'sandbox@example.com',
};

/** What the resolvers of one request share. */
export interface RequestScope {
  store: EventStore;
  managed: ManagedObjects;
  /** The account that the request's key belongs to. */
  account: SandboxAccount;
  misbehaviour: Misbehaviour;
  /** Epoch milliseconds; the same for all queries of a request. */
  now: number;
  onQuery: (failed: boolean) => void;
  /** Called when a mutation is done and its answer is to be lost. */
  onLost: () => void;
}

interface NrqlArguments {
  query: string;
  timeout?: number | null;
}

/** The root object of one request; graphql-js calls its functions. */
export function createRoot(scope: RequestScope) {
  const { store, managed, account, now } = scope;
  const entities = new Entities(store, managed, account, now);
  const alerts = new Alerts(managed, account);
  const tagging = new Tagging(
    managed,
    guid => Boolean(entities.find(guid)) || Boolean(entities.others.find(guid)),
  );
  const changes = new ChangeTracking(store, entities, now);
  const nrql = nrqlResolver(scope);

  const outline = {
    id: account.id,
    name: account.name,
    reportingEventTypes: () => store.eventTypes(account.id),
  };
  const show = (guid: string) => {
    const application = entities.find(guid);
    const shown = application
      ? entities.show(application, false)
      : entities.others.find(guid);
    if (!shown) return null;
    return {
      ...shown,
      nrdbQuery: (
        args: { nrql: string; timeout?: number | null },
        _: unknown,
        info: GraphQLResolveInfo,
      ) => nrql({ ...args, query: args.nrql }, info),
    };
  };
  const actor = {
    user: USER,
    accounts: [outline],
    account: ({ id }: { id: number }) => {
      checkAccount(id, account);
      return {
        ...outline,
        alerts: () => alerts.fields(),
        nrql: (args: NrqlArguments, _: unknown, info: GraphQLResolveInfo) =>
          nrql(args, info),
      };
    },
    nrql: (
      args: NrqlArguments & { accounts: number[] },
      _: unknown,
      info: GraphQLResolveInfo,
    ) => {
      args.accounts.forEach(id => checkAccount(id, account));
      return nrql(args, info);
    },
    entity: ({ guid }: { guid: string }) => show(guid),
    entities: ({ guids }: { guids: (string | null)[] }) => {
      if (guids.length > MOST_GUIDS) {
        throw nerdGraphError(
          `At most ${MOST_GUIDS} guids can be asked for at once`,
          'BAD_USER_INPUT',
        );
      }
      return guids.flatMap(guid => (guid && show(guid)) || []);
    },
    entitySearch: async ({ query }: { query?: string | null }) => {
      const found = [
        ...(await entities.search(query ?? '')),
        ...entities.searchOthers(query ?? ''),
      ];
      return {
        count: found.length,
        query: query ?? '',
        results: ({ cursor }: { cursor?: string | null }) =>
          entities.page(found, cursor),
      };
    },
  };

  return {
    actor,
    requestContext: {
      userId: String(USER.id),
      apiKey: `${account.apiKey.slice(0, 5)}...`,
    },
    ...mutations(scope, {
      changeTrackingCreateDeployment: (args: {
        deployment: DeploymentInput;
        dataHandlingRules?: { validationFlags?: string[] } | null;
      }) => changes.createDeployment(args.deployment, args.dataHandlingRules),
      changeTrackingCreateEvent: (args: {
        changeTrackingEvent: EventInput;
        dataHandlingRules?: { validationFlags?: string[] } | null;
      }) =>
        changes.createEvent(args.changeTrackingEvent, args.dataHandlingRules),
      alertsPolicyCreate: args => alerts.createPolicy(args),
      alertsPolicyUpdate: args => alerts.updatePolicy(args),
      alertsPolicyDelete: args => alerts.deletePolicy(args),
      alertsNrqlConditionStaticCreate: args => alerts.createCondition(args),
      alertsNrqlConditionStaticUpdate: args => alerts.updateCondition(args),
      alertsConditionDelete: args => alerts.deleteCondition(args),
      serviceLevelCreate: args => entities.levels.create(args),
      serviceLevelUpdate: args => entities.levels.update(args),
      serviceLevelDelete: args => entities.levels.delete(args),
      dashboardCreate: args => entities.dashboards.create(args),
      dashboardUpdate: args => entities.dashboards.update(args),
      dashboardDelete: args => entities.dashboards.delete(args),
      taggingAddTagsToEntity: args => tagging.add(args),
      taggingReplaceTagsOnEntity: args => tagging.replace(args),
      taggingDeleteTagFromEntity: args => tagging.delete(args),
      taggingDeleteTagValuesFromEntity: args => tagging.deleteValues(args),
    }),
  };
}

/** What dashboards and tags tell in `errors` of their answer instead of as errors of GraphQL. */
const BUSINESS_ERRORS = /^(dashboard|tagging)/;

/** Wraps mutations: the account has to be the key's, and faults that tests ordered come up. */
function mutations(
  scope: RequestScope,
  resolvers: Record<string, (args: any) => unknown>,
): Record<string, (args: any) => Promise<unknown>> {
  const { account, misbehaviour, onLost } = scope;
  return Object.fromEntries(
    Object.entries(resolvers).map(([name, resolve]) => [
      name,
      async (args: any) => {
        if (args.accountId !== undefined) checkAccount(args.accountId, account);
        const fault = misbehaviour.takeForMutation(name, args);
        if (fault) await sleep(fault.delayMs);
        if (fault?.kind === 'refused') {
          const { errorClass, message } = fault;
          if (!BUSINESS_ERRORS.test(name)) {
            throw nerdGraphError(message, errorClass);
          }
          const type = name.startsWith('tagging')
            ? 'NOT_PERMITTED'
            : 'FORBIDDEN_OPERATION';
          return { errors: [{ type, message, description: message }] };
        }
        const result = await resolve(args);
        if (fault?.kind === 'lost') onLost();
        return result;
      },
    ]),
  );
}

function checkAccount(id: number, account: SandboxAccount) {
  if (id !== account.id) {
    throw nerdGraphError(
      `You are not authorized to query account ${id}`,
      'ACCESS_DENIED',
    );
  }
}

function nrqlResolver(scope: RequestScope) {
  const { store, account, misbehaviour, now, onQuery } = scope;
  let index = 0;
  return async (
    args: NrqlArguments,
    _info: GraphQLResolveInfo,
  ): Promise<NrdbResultContainer | null> => {
    const fault = misbehaviour.takeForQuery(index, args.query);
    index += 1;
    try {
      const seconds = args.timeout ?? DEFAULT_TIMEOUT_SECONDS;
      if (seconds < 5 || seconds > 120) {
        throw nerdGraphError(
          `timeout must be between 5 and 120 seconds, got ${seconds}`,
          'BAD_USER_INPUT',
        );
      }
      if (fault) {
        await sleep(fault.delayMs);
        if (fault.kind === 'error') {
          throw nerdGraphError(fault.message, fault.errorClass);
        }
        onQuery(true);
        return null;
      }
      const result = await runNrql(store, [account.id], args.query, now, {
        deadline: Date.now() + seconds * 1000,
        hidden: misbehaviour.gaps(),
      });
      onQuery(false);
      return result;
    } catch (error) {
      onQuery(true);
      if (error instanceof NrqlError) {
        throw nerdGraphError(error.message, error.errorClass);
      }
      throw error;
    }
  };
}
