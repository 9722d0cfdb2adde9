import type { Statement } from '../platform/db/database.ts';

/** Every statement the service sends; named, so each is parsed once per connection. */

const call = (name: string, parameters: number, columns = 'outcome, replayed, body'): Statement => ({
  name,
  text: `SELECT ${columns} FROM ${name}(${Array.from({ length: parameters }, (_, i) => `$${i + 1}`).join(', ')})`,
});

export const DECIDE = call('authorization_decide', 1, 'n, outcome, replayed, body');
export const APPLY = call('authorization_apply', 14);
export const REVERSE_REF = call('authorization_reverse_ref', 8);
export const OPEN_SPEND_ACCOUNT = call('spend_account_open', 9);
export const ADD_CARD = call('card_add', 10);
export const SET_CARD_STATUS = call('card_set_status', 6);
export const SET_CARD_LIMITS = call('card_set_limits', 4, 'outcome, body');
export const SET_CREDIT_LIMIT = call('spend_account_set_credit_limit', 4, 'outcome, body');
export const PUT_RULE_SET = call('rule_set_put', 6, 'outcome, body');
export const LEDGER_FACT = call('ledger_fact', 6, 'outcome');
export const EXPIRE_DUE = call('authorization_expire_due', 1, 'authorization_expire_due AS done');
export const PURGE_COUNTERS = call('limit_counter_purge', 1, 'limit_counter_purge AS done');

export const CARD_FACTS: Statement = { name: 'card_facts', text: 'SELECT card_facts($1, $2) AS facts' };

export const RULE_BODY: Statement = {
  name: 'rule_body',
  text: 'SELECT body FROM rule_set WHERE id = $1 AND version = $2',
};

export const AUTHORIZATION: Statement = {
  name: 'authorization_now',
  text: 'SELECT body FROM current_authorization WHERE id = $1',
};

export const AUTHORIZATIONS: Statement = {
  name: 'authorizations',
  text: 'SELECT body FROM current_authorization WHERE id < $1 ORDER BY id DESC LIMIT $2',
};

const by = (column: string): Statement => ({
  name: `authorizations_by_${column}`,
  text: `SELECT body FROM current_authorization WHERE ${column} = $3 AND id < $1 ORDER BY id DESC LIMIT $2`,
});

export const AUTHORIZATIONS_BY = {
  networkRef: by('network_ref'),
  cardId: by('card_id'),
  spendAccountId: by('spend_account_id'),
};

export const EVENTS: Statement = {
  name: 'auth_events',
  text: `SELECT event_document(e, a.network_ref, a.currency) AS body
    FROM "authorization" a JOIN auth_event e ON e.auth_id = a.id
   WHERE a.id = $1 ORDER BY e.seq`,
};

export const SPEND_ACCOUNT: Statement = {
  name: 'spend_account',
  text: 'SELECT body FROM spend_account_document WHERE id = $1',
};

export const CARD: Statement = { name: 'card', text: 'SELECT body FROM card_document WHERE id = $1' };

export const RULE_SET: Statement = {
  name: 'rule_set',
  text: 'SELECT body FROM rule_set_document WHERE id = $1 ORDER BY version DESC LIMIT 1',
};

export const RULE_SET_VERSION: Statement = {
  name: 'rule_set_version',
  text: 'SELECT body FROM rule_set_document WHERE id = $1 AND version = $2',
};

export const SHADOW_REPORT: Statement = {
  name: 'shadow_report',
  text: `WITH compared AS (
    SELECT s.auth_id, a.decision, a.reason_code, s.decision AS shadow_decision, s.reason_code AS shadow_reason_code, s.rule, s.created_at
      FROM shadow_decision s JOIN "authorization" a ON a.id = s.auth_id
     WHERE s.rule_set_id = $1 AND s.rule_version = $2
  )
  SELECT json_build_object(
    'id', $1::text, 'version', $2::int, 'decisions', count(*), 'same', count(*) FILTER (WHERE decision = shadow_decision),
    'wouldDecline', count(*) FILTER (WHERE decision = 'APPROVED' AND shadow_decision = 'DECLINED'),
    'wouldApprove', count(*) FILTER (WHERE decision = 'DECLINED' AND shadow_decision = 'APPROVED'),
    'differences', coalesce((
      SELECT json_agg(json_build_object(
               'authorizationId', d.auth_id, 'decision', d.decision, 'reasonCode', d.reason_code,
               'shadowDecision', d.shadow_decision, 'shadowReasonCode', d.shadow_reason_code, 'rule', d.rule,
               'createdAt', iso_utc(d.created_at)) ORDER BY d.auth_id DESC)
        FROM (SELECT * FROM compared WHERE decision <> shadow_decision ORDER BY auth_id DESC LIMIT 50) d), '[]')) AS body
    FROM compared`,
};
