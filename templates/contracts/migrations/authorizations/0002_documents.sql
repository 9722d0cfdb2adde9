-- The documents that the API answers with, so that a first answer and its replay cannot differ.

CREATE FUNCTION iso_utc(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

CREATE FUNCTION state_document(
  p_status text, p_authorized bigint, p_captured bigint, p_reversed bigint, p_released bigint, p_held bigint, p_version integer
) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT json_build_object(
    'status', p_status, 'authorized', p_authorized::text, 'captured', p_captured::text, 'reversed', p_reversed::text,
    'released', p_released::text, 'held', p_held::text, 'version', p_version)
$$;

CREATE FUNCTION authorization_document(
  a "authorization", p_status text, p_authorized bigint, p_captured bigint, p_reversed bigint, p_released bigint, p_held bigint,
  p_version integer
) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT json_build_object(
    'id', a.id, 'networkRef', a.network_ref, 'kind', a.kind, 'cardId', a.card_id, 'spendAccountId', a.spend_account_id,
    'amount', json_build_object('value', a.amount::text, 'currency', a.currency),
    'merchant', a.merchant, 'channel', a.channel,
    'decision', a.decision, 'reasonCode', a.reason_code, 'detail', a.detail, 'rule', a.rule, 'trace', a.trace,
    'ruleSet', CASE WHEN a.rule_version IS NOT NULL
                    THEN json_build_object('id', a.rule_set_id, 'version', a.rule_version) END,
    'risk', CASE WHEN a.risk_source IS NOT NULL
                 THEN json_build_object('score', a.risk_score, 'source', a.risk_source) END,
    'status', p_status, 'authorized', p_authorized::text, 'captured', p_captured::text, 'reversed', p_reversed::text,
    'released', p_released::text, 'held', p_held::text, 'version', p_version,
    'overdrawn', a.overdrawn, 'metadata', a.metadata, 'createdAt', iso_utc(a.created_at), 'expiresAt', iso_utc(a.expires_at))
$$;

-- As it was when it was decided: the answer to POST /v1/authorizations, the first time and ever after.
CREATE FUNCTION decision_document(a "authorization") RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN a.decision = 'APPROVED'
              THEN authorization_document(a, 'AUTHORIZED', a.amount, 0, 0, 0, a.amount, 1)
              ELSE authorization_document(a, 'DECLINED', 0, 0, 0, 0, 0, 1) END
$$;

CREATE FUNCTION event_document(e auth_event, p_network_ref text, p_currency text) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT json_build_object(
    'id', e.id, 'authorizationId', e.auth_id, 'networkRef', p_network_ref, 'seq', e.seq, 'kind', e.kind,
    'amount', json_build_object('value', e.amount::text, 'currency', p_currency),
    'decision', CASE WHEN e.reason_code = '00' THEN 'APPROVED' ELSE 'DECLINED' END,
    'reasonCode', e.reason_code, 'detail', e.detail, 'rule', e.rule, 'trace', e.trace,
    'final', e.final, 'overdrawn', e.overdrawn, 'reference', e.reference, 'createdAt', iso_utc(e.created_at),
    'authorization', state_document(e.status, e.authorized, e.captured, e.reversed, e.released, e.held, e.seq))
$$;

CREATE VIEW current_authorization AS
SELECT a.id, a.network_ref, a.card_id, a.spend_account_id,
       authorization_document(a, s.status, s.authorized, s.captured, s.reversed, s.released, s.held, s.version) AS body
  FROM "authorization" a JOIN auth_state s ON s.auth_id = a.id;

CREATE VIEW spend_account_document AS
SELECT a.id,
       json_build_object(
         'id', a.id, 'currency', a.currency, 'exponent', c.exponent, 'ledgerAccountId', a.ledger_account_id,
         'ledgerSide', a.ledger_side, 'balance', a.balance::text, 'held', a.held::text, 'unposted', a.unposted::text,
         'creditLimit', a.credit_limit::text, 'openToBuy', (a.balance + a.credit_limit - a.held - a.unposted)::text,
         'overdrawn', a.overdrawn, 'version', a.version, 'metadata', a.metadata, 'createdAt', iso_utc(a.created_at)) AS body
  FROM spend_account a JOIN currency c ON c.code = a.currency;

CREATE VIEW card_document AS
SELECT c.id,
       json_build_object(
         'id', c.id, 'token', c.token, 'spendAccountId', c.spend_account_id, 'currency', a.currency, 'status', c.status,
         'expiresOn', c.expires_on, 'ruleSetId', c.rule_set_id, 'limits', c.limits, 'version', c.version,
         'metadata', c.metadata, 'createdAt', iso_utc(c.created_at)) AS body
  FROM card c JOIN spend_account a ON a.id = c.spend_account_id;

-- The version that decides now, and the candidate beside it. NULL: there is none.
CREATE FUNCTION rule_set_now(p_id text, OUT active integer, OUT candidate integer) LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT r.version INTO active FROM rule_set r
   WHERE r.id = p_id AND r.mode = 'active' AND r.active_from <= clock_timestamp() ORDER BY r.version DESC LIMIT 1;
  SELECT r.version INTO candidate FROM rule_set r
   WHERE r.id = p_id AND r.mode = 'shadow' AND r.version > coalesce(active, 0) ORDER BY r.version DESC LIMIT 1;
END $$;

CREATE VIEW rule_set_document AS
SELECT r.id, r.version,
       json_build_object(
         'id', r.id, 'version', r.version, 'mode', r.mode, 'activeFrom', iso_utc(r.active_from),
         'activeVersion', n.active, 'shadowVersion', n.candidate, 'body', r.body,
         'createdBy', r.created_by, 'createdAt', iso_utc(r.created_at)) AS body
  FROM rule_set r CROSS JOIN LATERAL rule_set_now(r.id) n;

-- All that the rules need to know of a card, beside what changes with every decision.
CREATE FUNCTION card_facts(p_token text, p_id uuid) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object(
           'id', c.id, 'token', c.token, 'status', c.status, 'currency', a.currency, 'limits', c.limits, 'version', c.version,
           'ruleSetId', c.rule_set_id, 'activeVersion', n.active, 'candidateVersion', n.candidate)
    FROM card c JOIN spend_account a ON a.id = c.spend_account_id
   CROSS JOIN LATERAL rule_set_now(c.rule_set_id) n
   WHERE c.token = p_token OR c.id = p_id
$$;
