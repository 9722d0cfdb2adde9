-- Spend accounts, cards, limits and rule sets. Outcomes as in 0004.

CREATE FUNCTION spend_account_open(
  p_client text, p_key text, p_fingerprint bytea, p_id uuid, p_currency text, p_credit_limit bigint, p_ledger_account uuid,
  p_ledger_side text, p_metadata json,
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  request record;
BEGIN
  SELECT * INTO request FROM begin_request(p_client, p_key, p_fingerprint);
  outcome := request.outcome;
  replayed := request.replayed;
  IF outcome <> 'new' THEN
    body := (request.known).response;
    RETURN;
  END IF;
  INSERT INTO spend_account (id, currency, credit_limit, ledger_account_id, ledger_side, metadata)
  VALUES (p_id, p_currency, p_credit_limit, p_ledger_account, p_ledger_side, p_metadata)
  ON CONFLICT (ledger_account_id) DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'refused';
    body := refuse_request(p_client, p_key, json_build_object('status', 409, 'code', 'already-exists', 'field', '/ledgerAccountId'));
    RETURN;
  END IF;
  SELECT d.body INTO body FROM spend_account_document d WHERE d.id = p_id;
  UPDATE idempotency i SET response = body WHERE i.client_id = p_client AND i.key = p_key;
  outcome := 'created';
END $$;

CREATE FUNCTION card_add(
  p_client text, p_key text, p_fingerprint bytea, p_id uuid, p_token text, p_spend_account uuid, p_expires_on date,
  p_rule_set text, p_limits json, p_metadata json,
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  request record;
  account_currency text;
  rule_currency text;
BEGIN
  SELECT * INTO request FROM begin_request(p_client, p_key, p_fingerprint);
  outcome := request.outcome;
  replayed := request.replayed;
  IF outcome <> 'new' THEN
    body := (request.known).response;
    RETURN;
  END IF;
  SELECT s.currency INTO account_currency FROM spend_account s WHERE s.id = p_spend_account;
  SELECT r.body->>'currency' INTO rule_currency FROM rule_set r
   WHERE r.id = p_rule_set AND r.version = (SELECT n.active FROM rule_set_now(p_rule_set) n);
  IF account_currency IS NULL THEN
    body := json_build_object('status', 422, 'code', 'account-unknown', 'field', '/spendAccountId', 'id', p_spend_account);
  ELSIF (SELECT n.active FROM rule_set_now(p_rule_set) n) IS NULL THEN
    body := json_build_object('status', 422, 'code', 'rule-set-unknown', 'field', '/ruleSetId', 'id', p_rule_set);
  ELSIF rule_currency <> account_currency THEN
    body := json_build_object('status', 422, 'code', 'currency-mismatch', 'field', '/ruleSetId', 'currency', account_currency);
  ELSE
    INSERT INTO card (id, token, spend_account_id, expires_on, rule_set_id, limits, metadata)
    VALUES (p_id, p_token, p_spend_account, p_expires_on, p_rule_set, p_limits, p_metadata)
    ON CONFLICT (token) DO NOTHING;
    IF NOT FOUND THEN
      body := json_build_object('status', 409, 'code', 'already-exists', 'field', '/token');
    END IF;
  END IF;
  IF body IS NOT NULL THEN
    outcome := 'refused';
    body := refuse_request(p_client, p_key, body);
    RETURN;
  END IF;
  SELECT d.body INTO body FROM card_document d WHERE d.id = p_id;
  UPDATE idempotency i SET response = body WHERE i.client_id = p_client AND i.key = p_key;
  outcome := 'created';
END $$;

-- active <-> frozen -> closed; closed is final.
CREATE FUNCTION card_set_status(
  p_client text, p_key text, p_fingerprint bytea, p_card uuid, p_status text, p_reason text,
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  request record;
  before card;
BEGIN
  SELECT * INTO request FROM begin_request(p_client, p_key, p_fingerprint);
  outcome := request.outcome;
  replayed := request.replayed;
  IF outcome <> 'new' THEN
    body := (request.known).response;
    RETURN;
  END IF;
  SELECT * INTO before FROM card c WHERE c.id = p_card FOR UPDATE;
  IF NOT FOUND THEN
    body := json_build_object('status', 404, 'code', 'not-found', 'id', p_card);
  ELSIF before.status = 'closed' THEN
    body := json_build_object('status', 409, 'code', 'card-closed', 'id', p_card);
  END IF;
  IF body IS NOT NULL THEN
    outcome := 'refused';
    body := refuse_request(p_client, p_key, body);
    RETURN;
  END IF;
  UPDATE card c SET status = p_status, version = c.version + 1 WHERE c.id = p_card;
  INSERT INTO setting_change (subject, subject_id, change, actor)
  VALUES ('card', p_card, json_build_object('status', p_status, 'before', before.status, 'reason', p_reason), p_client);
  SELECT d.body INTO body FROM card_document d WHERE d.id = p_card;
  UPDATE idempotency i SET response = body WHERE i.client_id = p_client AND i.key = p_key;
  outcome := 'created';
END $$;

-- The PUTs. p_expected: the version that is replaced, NULL for any. outcome: written (body is the document), refused (body is the refusal).
CREATE FUNCTION card_set_limits(
  p_client text, p_card uuid, p_expected integer, p_limits json, OUT outcome text, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  before card;
BEGIN
  outcome := 'refused';
  SELECT * INTO before FROM card c WHERE c.id = p_card FOR UPDATE;
  IF NOT FOUND THEN
    body := json_build_object('status', 404, 'code', 'not-found', 'id', p_card);
  ELSIF before.version <> p_expected THEN
    body := json_build_object('status', 412, 'code', 'precondition-failed', 'version', before.version);
  ELSIF before.status = 'closed' THEN
    body := json_build_object('status', 409, 'code', 'card-closed', 'id', p_card);
  ELSE
    UPDATE card c SET limits = p_limits, version = c.version + 1 WHERE c.id = p_card;
    INSERT INTO setting_change (subject, subject_id, change, actor)
    VALUES ('card', p_card, json_build_object('limits', p_limits, 'before', before.limits), p_client);
    outcome := 'written';
    SELECT d.body INTO body FROM card_document d WHERE d.id = p_card;
  END IF;
END $$;

CREATE FUNCTION spend_account_set_credit_limit(
  p_client text, p_account uuid, p_expected integer, p_credit_limit bigint, OUT outcome text, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  before spend_account;
BEGIN
  outcome := 'refused';
  SELECT * INTO before FROM spend_account s WHERE s.id = p_account FOR UPDATE;
  IF NOT FOUND THEN
    body := json_build_object('status', 404, 'code', 'not-found', 'id', p_account);
  ELSIF before.version <> p_expected THEN
    body := json_build_object('status', 412, 'code', 'precondition-failed', 'version', before.version);
  ELSE
    UPDATE spend_account s SET credit_limit = p_credit_limit, version = s.version + 1,
           overdrawn = s.balance + p_credit_limit - s.held - s.unposted < 0 WHERE s.id = p_account;
    INSERT INTO setting_change (subject, subject_id, change, actor)
    VALUES ('spend_account', p_account,
            json_build_object('creditLimit', p_credit_limit::text, 'before', before.credit_limit::text), p_client);
    outcome := 'written';
    SELECT d.body INTO body FROM spend_account_document d WHERE d.id = p_account;
  END IF;
END $$;

-- p_expected 0: there must be none yet.
CREATE FUNCTION rule_set_put(
  p_client text, p_id text, p_expected integer, p_mode text, p_active_from timestamptz, p_body json, OUT outcome text, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  latest integer;
BEGIN
  -- Writers of one rule set take turns.
  PERFORM pg_advisory_xact_lock(2, hashtext(p_id));
  SELECT coalesce(max(r.version), 0) INTO latest FROM rule_set r WHERE r.id = p_id;
  IF latest = 0 AND p_expected IS DISTINCT FROM 0 THEN
    outcome := 'refused';
    body := json_build_object('status', 412, 'code', 'precondition-failed', 'version', NULL);
  ELSIF latest <> p_expected THEN
    outcome := 'refused';
    body := json_build_object('status', 412, 'code', 'precondition-failed', 'version', latest);
  ELSE
    INSERT INTO rule_set (id, version, mode, active_from, body, created_by)
    VALUES (p_id, latest + 1, p_mode,
            CASE p_mode WHEN 'active' THEN coalesce(p_active_from, date_trunc('milliseconds', clock_timestamp())) END, p_body, p_client);
    outcome := 'written';
    SELECT d.body INTO body FROM rule_set_document d WHERE d.id = p_id AND d.version = latest + 1;
  END IF;
END $$;

-- Forgets refusals, and the answers that can be read again from immutable rows. A message that comes once more after that finds its
-- authorization or its event and is not carried out twice; answers about accounts and cards are few and stay.
CREATE FUNCTION idempotency_purge(p_hours integer, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  purged integer;
BEGIN
  IF p_hours < 1 OR p_limit < 1 THEN
    RAISE EXCEPTION 'hours and limit must be above zero' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  WITH old AS (
    SELECT client_id, key FROM idempotency
     WHERE (auth_id IS NOT NULL OR status <> 201) AND created_at < clock_timestamp() - make_interval(hours => p_hours)
     ORDER BY created_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  )
  DELETE FROM idempotency i USING old WHERE i.client_id = old.client_id AND i.key = old.key;
  GET DIAGNOSTICS purged = ROW_COUNT;
  RETURN purged;
END $$;

-- Counters of windows that no decision looks at any more: the longest is a month.
CREATE FUNCTION limit_counter_purge(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  purged integer;
BEGIN
  WITH old AS (
    SELECT card_id, "window", bucket FROM limit_counter WHERE bucket < clock_timestamp() - interval '400 days'
     LIMIT p_limit FOR UPDATE SKIP LOCKED
  )
  DELETE FROM limit_counter c USING old
   WHERE c.card_id = old.card_id AND c."window" = old."window" AND c.bucket = old.bucket;
  GET DIAGNOSTICS purged = ROW_COUNT;
  RETURN purged;
END $$;

-- No limits, the usual tolerances and holding times: for cards that name no other.
INSERT INTO rule_set (id, version, mode, active_from, body, created_by) VALUES ('default', 1, 'active', '2020-01-01Z', '{}', 'migration');
