-- What happens to an authorization after its decision, and what the ledger says. Locks as in 0003.

CREATE FUNCTION derive_status(
  p_authorized bigint, p_captured bigint, p_reversed bigint, p_held bigint, p_expired boolean
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN p_authorized = 0 THEN 'DECLINED'
    WHEN p_held > 0 AND p_captured > 0 THEN 'PARTIALLY_CAPTURED'
    WHEN p_held > 0 AND p_reversed > 0 THEN 'PARTIALLY_REVERSED'
    WHEN p_held > 0 THEN 'AUTHORIZED'
    WHEN p_captured > 0 THEN 'CAPTURED'
    WHEN p_expired THEN 'EXPIRED'
    ELSE 'REVERSED' END
$$;

-- What may be captured in all.
CREATE FUNCTION capture_limit(p_authorized bigint, p_reversed bigint, p_percent integer, p_up_to bigint)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_authorized - p_reversed <= 0 THEN 0
              ELSE greatest(floor((p_authorized - p_reversed)::numeric * (100 + p_percent) / 100), p_up_to) END
$$;

-- Appends one event to an authorization whose account and state are locked, and moves account, counters and state by it.
-- p_verdict: reason, detail, rule and trace of a decision; NULL for what is not decided.
CREATE FUNCTION append_event(
  a "authorization", s auth_state, p_id uuid, p_kind text, p_amount bigint, p_final boolean, p_reference text,
  p_client text, p_key text, p_fingerprint bytea, p_reason text, p_detail text, p_rule text, p_trace text
) RETURNS auth_event LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := date_trunc('milliseconds', clock_timestamp());
  account spend_account;
  given_back bigint;
  e auth_event;
BEGIN
  e.auth_id := a.id;
  e.seq := s.version + 1;
  e.id := p_id;
  e.kind := p_kind;
  e.amount := p_amount;
  e.reason_code := coalesce(p_reason, '00');
  e.detail := coalesce(p_detail, 'approved');
  e.rule := p_rule;
  e.trace := ('[' || coalesce(p_trace, '') || ']')::json;
  e.final := p_final;
  e.reference := p_reference;
  e.client_id := p_client;
  e.key := p_key;
  e.fingerprint := p_fingerprint;
  e.created_at := moment;
  e.authorized := s.authorized + CASE p_kind WHEN 'INCREMENTED' THEN p_amount ELSE 0 END;
  e.captured := s.captured + CASE WHEN p_kind IN ('CAPTURED', 'FORCE_POSTED') THEN p_amount ELSE 0 END;
  e.reversed := s.reversed + CASE p_kind WHEN 'REVERSED' THEN p_amount ELSE 0 END;
  e.released := s.released + CASE WHEN p_kind = 'EXPIRED' THEN s.held
                                  WHEN p_kind = 'CAPTURED' AND p_final THEN greatest(0, s.held - p_amount) ELSE 0 END;
  e.held := greatest(0, e.authorized - e.reversed - e.captured - e.released);
  e.status := derive_status(e.authorized, e.captured, e.reversed, e.held, s.expired OR p_kind = 'EXPIRED');

  SELECT x.* INTO account FROM spend_account x WHERE x.id = a.spend_account_id;
  account.held := account.held + e.held - s.held;
  account.unposted := account.unposted + e.captured - s.captured;
  e.overdrawn := account.balance + account.credit_limit - account.held - account.unposted < 0;
  INSERT INTO auth_event (auth_id, seq, id, kind, amount, reason_code, detail, rule, trace, final, overdrawn, reference, client_id, key,
                          fingerprint, created_at, status, authorized, captured, reversed, released, held)
  VALUES (e.auth_id, e.seq, e.id, e.kind, e.amount, e.reason_code, e.detail, e.rule, e.trace, e.final, e.overdrawn, e.reference,
          e.client_id, e.key, e.fingerprint, e.created_at, e.status, e.authorized, e.captured, e.reversed, e.released, e.held);
  UPDATE auth_state x SET authorized = e.authorized, captured = e.captured, reversed = e.reversed, released = e.released,
         held = e.held, expired = s.expired OR p_kind = 'EXPIRED', status = e.status, version = e.seq
   WHERE x.auth_id = a.id;
  UPDATE spend_account x SET held = account.held, unposted = account.unposted, overdrawn = e.overdrawn WHERE x.id = account.id;

  IF p_kind = 'INCREMENTED' THEN
    PERFORM count_approval(a.card_id, p_amount, 0, moment);
  ELSIF p_kind = 'REVERSED' THEN
    -- The limits get back what was approved first, in the windows it was counted in; increments stay counted.
    given_back := least(e.reversed, a.amount) - least(s.reversed, a.amount);
    UPDATE limit_counter c SET amount = c.amount - given_back
     WHERE c.card_id = a.card_id AND given_back > 0
       AND (c."window", c.bucket) IN (('day', bucket_of('day', a.created_at)), ('hour', bucket_of('hour', a.created_at)),
                                      ('month', bucket_of('month', a.created_at)), ('week', bucket_of('week', a.created_at)));
  END IF;
  INSERT INTO outbox (topic, aggregate_id, type, payload)
  VALUES ('authorizations', a.id,
          CASE p_kind WHEN 'INCREMENTED' THEN 'authorization.approved.v1' WHEN 'INCREMENT_DECLINED' THEN 'authorization.declined.v1'
                      WHEN 'REVERSED' THEN 'authorization.reversed.v1' WHEN 'EXPIRED' THEN 'authorization.expired.v1'
                      ELSE 'authorization.captured.v1' END,
          event_payload(a, e, account.ledger_account_id));
  RETURN e;
END $$;

-- Takes the key for this request, or says what was answered to it before.
-- A concurrent request with the same key waits here until the first one is decided.
CREATE FUNCTION begin_request(
  p_client text, p_key text, p_fingerprint bytea, OUT outcome text, OUT replayed boolean, OUT known idempotency
) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO idempotency (client_id, key, fingerprint, status) VALUES (p_client, p_key, p_fingerprint, 201)
  ON CONFLICT DO NOTHING;
  replayed := NOT FOUND;
  IF NOT replayed THEN
    outcome := 'new';
    RETURN;
  END IF;
  SELECT * INTO known FROM idempotency i WHERE i.client_id = p_client AND i.key = p_key;
  outcome := CASE
    WHEN known.fingerprint <> p_fingerprint THEN 'mismatch'
    WHEN known.status <> 201 THEN 'refused'
    ELSE 'replayed' END;
END $$;

-- Keeps a refusal with its key. What was not found is not kept: in the network's disorder it may still come.
CREATE FUNCTION refuse_request(p_client text, p_key text, p_problem json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  IF (p_problem->>'status')::smallint = 404 THEN
    DELETE FROM idempotency i WHERE i.client_id = p_client AND i.key = p_key;
  ELSE
    UPDATE idempotency i SET status = (p_problem->>'status')::smallint, response = p_problem
     WHERE i.client_id = p_client AND i.key = p_key;
  END IF;
  RETURN p_problem;
END $$;

CREATE FUNCTION stored_event(p_auth uuid, p_seq integer) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT event_document(e, a.network_ref, a.currency)
    FROM auth_event e JOIN "authorization" a ON a.id = e.auth_id
   WHERE e.auth_id = p_auth AND e.seq = p_seq
$$;

-- A message about an authorization: increment, capture, reverse or expire. p_amount NULL: all that is held.
-- p_steps, p_card_version and p_rule_version as in 0003, for an increment. outcome: created | replayed (body is the event), refused (body is
-- the refusal), mismatch, stale (body: facts of the card).
CREATE FUNCTION authorization_apply(
  p_client text, p_key text, p_fingerprint bytea, p_event uuid, p_message text, p_auth uuid, p_amount bigint, p_currency text,
  p_final boolean, p_reference text,
  p_steps json, p_card_version integer, p_rule_version integer, p_deadline_ms integer,
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  began timestamptz := clock_timestamp();
  request record;
  a "authorization";
  s auth_state;
  account spend_account;
  holder card;
  counted record;
  verdict record;
  versions record;
  earlier auth_event;
  move state_transition;
  amount bigint;
  e auth_event;
BEGIN
  SELECT * INTO request FROM begin_request(p_client, p_key, p_fingerprint);
  outcome := request.outcome;
  replayed := request.replayed;
  IF outcome = 'replayed' THEN
    body := coalesce((request.known).response, stored_event((request.known).auth_id, (request.known).event_seq));
    RETURN;
  ELSIF outcome <> 'new' THEN
    body := (request.known).response;
    RETURN;
  END IF;

  SELECT * INTO a FROM "authorization" x WHERE x.id = p_auth;
  IF NOT FOUND THEN
    outcome := 'refused';
    body := refuse_request(p_client, p_key, json_build_object('status', 404, 'code', 'not-found', 'id', p_auth));
    RETURN;
  END IF;
  SELECT * INTO account FROM spend_account x WHERE x.id = a.spend_account_id FOR UPDATE;
  SELECT * INTO s FROM auth_state x WHERE x.auth_id = p_auth FOR UPDATE;

  -- Sent again after its row in `idempotency` was purged.
  SELECT * INTO earlier FROM auth_event x WHERE x.auth_id = p_auth AND x.client_id = p_client AND x.key = p_key;
  IF FOUND THEN
    outcome := CASE WHEN earlier.fingerprint = p_fingerprint THEN 'replayed' ELSE 'mismatch' END;
    replayed := true;
    UPDATE idempotency i SET fingerprint = earlier.fingerprint, auth_id = p_auth, event_seq = earlier.seq
     WHERE i.client_id = p_client AND i.key = p_key;
    IF outcome = 'replayed' THEN
      body := event_document(earlier, a.network_ref, a.currency);
    END IF;
    RETURN;
  END IF;

  SELECT * INTO move FROM state_transition t WHERE t.status = s.status AND t.message = p_message;
  amount := coalesce(p_amount, s.held);
  IF p_currency IS NOT NULL AND p_currency <> a.currency THEN
    body := json_build_object('status', 422, 'code', 'currency-mismatch', 'currency', a.currency);
  ELSIF move.refusal IS NOT NULL THEN
    body := json_build_object('status', 409, 'code', move.refusal, 'state', s.status, 'message', p_message, 'held', s.held::text,
                              'currency', a.currency);
  ELSIF p_message = 'reverse' AND amount > s.held THEN
    body := json_build_object('status', 409, 'code', 'already-reversed', 'state', s.status, 'message', p_message,
                              'held', s.held::text, 'currency', a.currency);
  ELSIF p_message = 'capture' AND s.captured::numeric + amount > capture_limit(s.authorized, s.reversed, a.over_percent, a.over_up_to) THEN
    body := json_build_object('status', 422, 'code', 'capture-exceeds-authorization', 'captured', s.captured::text,
                              'limit', capture_limit(s.authorized, s.reversed, a.over_percent, a.over_up_to)::text,
                              'currency', a.currency);
  END IF;
  IF body IS NOT NULL THEN
    outcome := 'refused';
    body := refuse_request(p_client, p_key, body);
    RETURN;
  END IF;

  SELECT NULL::text AS reason, NULL::text AS detail, NULL::text AS rule, NULL::text AS trace INTO verdict;
  IF p_message = 'increment' THEN
    SELECT c.* INTO holder FROM card c WHERE c.id = a.card_id;
    SELECT * INTO versions FROM rule_set_now(holder.rule_set_id);
    IF holder.version IS DISTINCT FROM p_card_version OR versions.active IS DISTINCT FROM p_rule_version THEN
      outcome := 'stale';
      body := card_facts(NULL, a.card_id);
      DELETE FROM idempotency i WHERE i.client_id = p_client AND i.key = p_key;
      RETURN;
    END IF;
    IF clock_timestamp() - began >= p_deadline_ms * interval '1 millisecond' THEN
      SELECT '91' AS reason, 'deadline-exceeded' AS detail, 'message.deadline' AS rule,
             '{"rule":"message.deadline","outcome":"fail","reasonCode":"91","detail":"deadline-exceeded"}' AS trace INTO verdict;
    ELSE
      SELECT * INTO counted FROM counters_of(a.card_id, clock_timestamp());
      SELECT * INTO verdict FROM evaluate_steps(
        p_steps, amount, s.authorized::numeric - s.reversed + amount,
        account.balance + account.credit_limit - account.held - account.unposted, clock_timestamp(), holder.expires_on,
        counted.day, counted.week, counted.month, counted.hour);
    END IF;
    IF verdict.reason IS NOT NULL THEN
      move.event := 'INCREMENT_DECLINED';
    END IF;
  END IF;

  e := append_event(a, s, p_event, move.event, amount, coalesce(p_final, false), p_reference, p_client, p_key, p_fingerprint,
                    verdict.reason, verdict.detail, verdict.rule, verdict.trace);
  UPDATE idempotency i SET auth_id = p_auth, event_seq = e.seq WHERE i.client_id = p_client AND i.key = p_key;
  outcome := 'created';
  body := event_document(e, a.network_ref, a.currency);
END $$;

-- A reversal by the reference of the network. Without such an authorization it is noted, and the late authorization is declined.
CREATE FUNCTION authorization_reverse_ref(
  p_client text, p_key text, p_fingerprint bytea, p_event uuid, p_network_ref text, p_amount bigint, p_currency text, p_reference text,
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  target uuid;
  noted void_ref;
  inner_answer record;
  request record;
BEGIN
  -- Keys before references, as everywhere; whoever answers below takes the same key again at no cost.
  SELECT * INTO request FROM begin_request(p_client, p_key, p_fingerprint);
  outcome := request.outcome;
  replayed := request.replayed;
  IF outcome <> 'new' THEN
    body := coalesce((request.known).response, json_build_object(
      'networkRef', p_network_ref, 'outcome', 'reversed', 'event', stored_event((request.known).auth_id, (request.known).event_seq),
      'createdAt', stored_event((request.known).auth_id, (request.known).event_seq)->>'createdAt'));
    IF outcome = 'mismatch' THEN
      body := NULL;
    END IF;
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(1, hashtext(p_network_ref));
  SELECT x.id INTO target FROM "authorization" x WHERE x.network_ref = p_network_ref;
  SELECT * INTO noted FROM void_ref v WHERE v.network_ref = p_network_ref;

  IF noted.network_ref IS NOT NULL THEN
    -- The network says it once more, before or after the authorization was declined for it.
    replayed := true;
    outcome := 'replayed';
  ELSIF target IS NOT NULL THEN
    DELETE FROM idempotency i WHERE i.client_id = p_client AND i.key = p_key;
    SELECT * INTO inner_answer FROM authorization_apply(p_client, p_key, p_fingerprint, p_event, 'reverse', target, p_amount,
                                                        p_currency, false, p_reference, NULL, NULL, NULL, NULL);
    outcome := inner_answer.outcome;
    replayed := inner_answer.replayed;
    body := inner_answer.body;
    IF outcome IN ('created', 'replayed') THEN
      body := json_build_object('networkRef', p_network_ref, 'outcome', 'reversed', 'event', body, 'createdAt', body->>'createdAt');
    END IF;
    RETURN;
  ELSIF p_amount IS NOT NULL THEN
    outcome := 'refused';
    body := refuse_request(p_client, p_key, json_build_object('status', 404, 'code', 'not-found', 'networkRef', p_network_ref));
    RETURN;
  ELSE
    INSERT INTO void_ref (network_ref, fingerprint, client_id, reference, created_at)
    VALUES (p_network_ref, p_fingerprint, p_client, p_reference, date_trunc('milliseconds', clock_timestamp()))
    RETURNING * INTO noted;
    outcome := 'created';
  END IF;
  body := json_build_object('networkRef', p_network_ref, 'outcome', 'recorded', 'event', NULL, 'createdAt', iso_utc(noted.created_at));
  UPDATE idempotency i SET response = body WHERE i.client_id = p_client AND i.key = p_key;
END $$;

-- Lets go the holds whose time is over, at most p_limit; returns how many. Accounts that others hold are left for the next run.
CREATE FUNCTION authorization_expire_due(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  accounts uuid[];
  due record;
  done integer := 0;
  e auth_event;
BEGIN
  WITH candidate AS (
    SELECT x.spend_account_id AS id FROM auth_state x WHERE x.held > 0 AND x.expires_at <= clock_timestamp()
     ORDER BY x.expires_at LIMIT p_limit
  ), locked AS (
    SELECT s.id FROM spend_account s WHERE s.id IN (SELECT c.id FROM candidate c) ORDER BY s.id FOR UPDATE SKIP LOCKED
  )
  SELECT array_agg(l.id) INTO accounts FROM locked l;
  FOR due IN
    SELECT x AS s, y AS a FROM auth_state x JOIN "authorization" y ON y.id = x.auth_id
     WHERE x.spend_account_id = ANY (accounts) AND x.held > 0 AND x.expires_at <= clock_timestamp()
     ORDER BY x.expires_at LIMIT p_limit
       FOR UPDATE OF x SKIP LOCKED
  LOOP
    e := append_event(due.a, due.s, gen_random_uuid(), 'EXPIRED', (due.s).held, false, NULL, 'expiry', NULL, NULL, NULL, NULL, NULL, NULL);
    done := done + 1;
  END LOOP;
  RETURN done;
END $$;

-- A fact of the ledger: balances of accounts (positive on their normal side) at their versions, and the reference of the transaction.
-- An older balance never replaces a newer one. A transaction that carries the id of a capture posts it: from then on the capture is part of
-- the balance. Called in the transaction that remembers the event in `inbox`. outcome: applied | outdated | ignored.
CREATE FUNCTION ledger_fact(
  p_accounts uuid[], p_balances bigint[], p_versions bigint[], p_moved bigint[],
  p_reference text, p_txn text, OUT outcome text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  fact record;
  captured auth_event;
  settled bigint;
BEGIN
  outcome := 'ignored';
  PERFORM 1 FROM spend_account s WHERE s.ledger_account_id = ANY (p_accounts) ORDER BY s.id FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  outcome := 'outdated';
  FOR fact IN
    SELECT s.*, f.balance AS fact_balance, f.version AS fact_version, f.moved
      FROM (SELECT account, (array_agg(u.balance ORDER BY u.version DESC))[1] AS balance, max(u.version) AS version,
                   abs(sum(u.moved)) AS moved
              FROM unnest(p_accounts, p_balances, p_versions, p_moved) AS u (account, balance, version, moved) GROUP BY account) f
      JOIN spend_account s ON s.ledger_account_id = f.account
     ORDER BY s.id
  LOOP
    settled := 0;
    IF p_reference ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN
      SELECT e.* INTO captured FROM auth_event e JOIN auth_state x ON x.auth_id = e.auth_id
       WHERE e.id = p_reference::uuid AND e.kind IN ('CAPTURED', 'FORCE_POSTED') AND x.spend_account_id = fact.id;
      IF FOUND THEN
        INSERT INTO capture_posting (event_id, spend_account_id, amount, posted_amount, ledger_txn)
        VALUES (captured.id, fact.id, captured.amount, coalesce(fact.moved, 0), p_txn) ON CONFLICT DO NOTHING;
        IF FOUND THEN
          settled := captured.amount;
        END IF;
      END IF;
    END IF;
    IF settled > 0 OR fact.fact_version > fact.ledger_version THEN
      outcome := 'applied';
      IF fact.fact_version > fact.ledger_version THEN
        fact.balance := CASE fact.ledger_side WHEN 'credit' THEN fact.fact_balance ELSE -fact.fact_balance END;
        fact.ledger_version := fact.fact_version;
      END IF;
      UPDATE spend_account s SET balance = fact.balance, ledger_version = fact.ledger_version, unposted = s.unposted - settled,
             overdrawn = fact.balance + s.credit_limit - s.held - s.unposted + settled < 0
       WHERE s.id = fact.id;
    END IF;
  END LOOP;
END $$;
