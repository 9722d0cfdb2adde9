import type { Condition } from '../desired/conditions';
import type { NerdGraph, Scope } from './NerdGraph';

/** One incident per condition: a fast burn is not hidden behind a slow one. */
export const INCIDENT_PREFERENCE = 'PER_CONDITION';

export interface Policy {
  id: string;
  name: string;
  incidentPreference: string;
}

export interface FoundCondition {
  id: string;
  name: string;
  description: string | null;
  [field: string]: unknown;
}

const CONDITION = `id name description enabled runbookUrl violationTimeLimitSeconds
  nrql { query }
  terms { operator priority threshold thresholdDuration thresholdOccurrences }
  signal { aggregationWindow aggregationMethod aggregationDelay fillOption slideBy }
  expiration { openViolationOnExpiration closeViolationsOnExpiration expirationDuration }`;

const FIND_POLICIES = `query RocketPolicies($account: Int!, $criteria: AlertsPoliciesSearchCriteriaInput, $cursor: String) {
  actor { account(id: $account) { alerts {
    policiesSearch(searchCriteria: $criteria, cursor: $cursor) {
      nextCursor policies { id name incidentPreference }
    }
  } } }
}`;

const FIND_CONDITIONS = `query RocketConditions($account: Int!, $policyId: ID!, $cursor: String) {
  actor { account(id: $account) { alerts {
    nrqlConditionsSearch(searchCriteria: { policyId: $policyId }, cursor: $cursor) {
      nextCursor nrqlConditions { ${CONDITION} }
    }
  } } }
}`;

const CREATE_POLICY = `mutation RocketCreatePolicy($account: Int!, $policy: AlertsPolicyInput!) {
  alertsPolicyCreate(accountId: $account, policy: $policy) { id name incidentPreference }
}`;
const UPDATE_POLICY = `mutation RocketUpdatePolicy($account: Int!, $id: ID!, $policy: AlertsPolicyUpdateInput!) {
  alertsPolicyUpdate(accountId: $account, id: $id, policy: $policy) { id }
}`;
const DELETE_POLICY = `mutation RocketDeletePolicy($account: Int!, $id: ID!) {
  alertsPolicyDelete(accountId: $account, id: $id) { id }
}`;
const CREATE_CONDITION = `mutation RocketCreateCondition($account: Int!, $policyId: ID!, $condition: AlertsNrqlConditionStaticInput!) {
  alertsNrqlConditionStaticCreate(accountId: $account, policyId: $policyId, condition: $condition) { ${CONDITION} }
}`;
const UPDATE_CONDITION = `mutation RocketUpdateCondition($account: Int!, $id: ID!, $condition: AlertsNrqlConditionUpdateStaticInput!) {
  alertsNrqlConditionStaticUpdate(accountId: $account, id: $id, condition: $condition) { id }
}`;
const DELETE_CONDITION = `mutation RocketDeleteCondition($account: Int!, $id: ID!) {
  alertsConditionDelete(accountId: $account, id: $id) { id }
}`;

/** Policies and conditions of an account. */
export class AlertsApi {
  constructor(private readonly nerdGraph: NerdGraph) {}

  async policiesNamed(scope: Scope, name: string): Promise<Policy[]> {
    const found = await this.findPolicies(scope, { name });
    // New Relic's search takes upper and lower case for the same.
    return found.filter(policy => policy.name === name);
  }

  async policyById(scope: Scope, id: string): Promise<Policy | undefined> {
    return (await this.findPolicies(scope, { ids: [id] })).find(
      policy => policy.id === id,
    );
  }

  conditions(scope: Scope, policyId: string): Promise<FoundCondition[]> {
    return this.nerdGraph.pages(
      scope,
      {
        query: FIND_CONDITIONS,
        variables: { account: scope.account.id, policyId },
      },
      data => {
        const found = data.actor.account.alerts.nrqlConditionsSearch;
        return { ...found, items: found.nrqlConditions };
      },
    );
  }

  createPolicy(scope: Scope, name: string): Promise<Policy> {
    return this.nerdGraph.change(scope, 'alertsPolicyCreate', {
      query: CREATE_POLICY,
      variables: {
        account: scope.account.id,
        policy: { name, incidentPreference: INCIDENT_PREFERENCE },
      },
    });
  }

  async updatePolicy(scope: Scope, id: string, name: string): Promise<void> {
    await this.nerdGraph.change(
      scope,
      'alertsPolicyUpdate',
      {
        query: UPDATE_POLICY,
        variables: {
          account: scope.account.id,
          id,
          policy: { name, incidentPreference: INCIDENT_PREFERENCE },
        },
      },
      { repeatable: true },
    );
  }

  deletePolicy(scope: Scope, id: string): Promise<void> {
    return this.nerdGraph.remove(scope, 'alertsPolicyDelete', {
      query: DELETE_POLICY,
      variables: { account: scope.account.id, id },
    });
  }

  createCondition(
    scope: Scope,
    policyId: string,
    condition: Condition,
  ): Promise<FoundCondition> {
    return this.nerdGraph.change(scope, 'alertsNrqlConditionStaticCreate', {
      query: CREATE_CONDITION,
      variables: { account: scope.account.id, policyId, condition },
    });
  }

  async updateCondition(
    scope: Scope,
    id: string,
    condition: Partial<Condition>,
  ): Promise<void> {
    await this.nerdGraph.change(
      scope,
      'alertsNrqlConditionStaticUpdate',
      {
        query: UPDATE_CONDITION,
        variables: { account: scope.account.id, id, condition },
      },
      { repeatable: true },
    );
  }

  deleteCondition(scope: Scope, id: string): Promise<void> {
    return this.nerdGraph.remove(scope, 'alertsConditionDelete', {
      query: DELETE_CONDITION,
      variables: { account: scope.account.id, id },
    });
  }

  private findPolicies(
    scope: Scope,
    criteria: { name?: string; ids?: string[] },
  ): Promise<Policy[]> {
    return this.nerdGraph.pages(
      scope,
      {
        query: FIND_POLICIES,
        variables: { account: scope.account.id, criteria },
      },
      data => {
        const found = data.actor.account.alerts.policiesSearch;
        return { ...found, items: found.policies };
      },
    );
  }
}
