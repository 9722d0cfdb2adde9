-- The decision: one call, one transaction, for one message or a batch of them.
--
-- Who decides what. Rule sets are a language, and the service alone reads it (rules.ts, a pure function): from request, card and rule set it
-- makes `steps`, in which all that cannot race is decided already and the rest is left as comparisons. Here the comparisons are made, on
-- counters and funds that are locked. So no decision rests on a figure that another one is just changing, and still no rule is written
-- twice: this file knows sums, counts and dates, but no categories, countries or scores. Card and rule set are not locked; their versions
-- are compared under the lock of the account, and a message that was planned for others is given back as `stale` to be planned again.
--
-- Locks are taken in one order by everyone: keys sorted, network references sorted by hash, spend accounts by id, then states and
-- counters of those accounts. Therefore no two calls can wait for each other.

-- Functions that are called for every message are in PL/pgSQL, whose plans are kept; those in SQL are simple enough to be inlined.

-- Compares one after the other and stops at the first that fails. A step is {k, trace, reason, detail, rule, ...}:
--   static  decided already: `trace` is what was checked, and `reason` is there when it failed
--   expiry  the card's last day against today (UTC, the clock of the database)
--   sum     what was approved in `window` before, plus this amount, against `limit`
--   count   approvals in the hour before, plus this one, against `limit`
--   total   what the authorization would come to, against `limit`
--   funds   open-to-buy
-- reason is NULL when nothing failed. `trace` holds the elements of a JSON array without its brackets.
CREATE FUNCTION evaluate_steps(
  p_steps json, p_amount bigint, p_total numeric, p_open bigint, p_now timestamptz, p_expires_on date,
  p_day numeric, p_week numeric, p_month numeric, p_hour integer,
  OUT reason text, OUT detail text, OUT rule text, OUT trace text
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  step json;
  kind text;
  seen text;
  bound text;
  passed boolean;
BEGIN
  trace := '';
  FOR step IN SELECT json_array_elements(p_steps) LOOP
    kind := step->>'k';
    IF kind = 'static' THEN
      trace := trace || CASE WHEN trace = '' THEN '' ELSE ',' END || (step->>'trace');
      IF step->>'reason' IS NULL THEN
        CONTINUE;
      END IF;
      reason := step->>'reason';
      detail := step->>'detail';
      rule := step->>'rule';
      RETURN;
    END IF;
    bound := step->>'limit';
    CASE kind
      WHEN 'expiry' THEN
        seen := to_char(p_now AT TIME ZONE 'UTC', 'YYYY-MM-DD');
        bound := to_char(p_expires_on, 'YYYY-MM-DD');
        passed := (p_now AT TIME ZONE 'UTC')::date <= p_expires_on;
      WHEN 'sum' THEN
        seen := CASE step->>'window' WHEN 'day' THEN p_day WHEN 'week' THEN p_week ELSE p_month END::text;
        passed := seen::numeric + p_amount <= bound::numeric;
      WHEN 'count' THEN
        seen := p_hour::text;
        passed := p_hour + 1 <= bound::integer;
      WHEN 'total' THEN
        seen := (p_total - p_amount)::text;
        passed := p_total <= bound::numeric;
      WHEN 'funds' THEN
        seen := p_open::text;
        bound := NULL;
        passed := p_open >= p_amount;
    END CASE;
    -- Nothing in it needs escaping: names of checks are the service's own, the rest is digits.
    trace := trace || CASE WHEN trace = '' THEN '' ELSE ',' END || '{"rule":"' || (step->>'rule') || '","outcome":'
      || CASE WHEN passed THEN '"pass"'
              ELSE '"fail","reasonCode":"' || (step->>'reason') || '","detail":"' || (step->>'detail') || '"' END
      || ',"observed":"' || seen || '"' || coalesce(',"limit":"' || bound || '"', '') || '}';
    IF NOT passed THEN
      reason := step->>'reason';
      detail := step->>'detail';
      rule := step->>'rule';
      RETURN;
    END IF;
  END LOOP;
END $$;

-- The beginning of the day, hour, month and week (from Monday) of a moment, UTC.
CREATE FUNCTION bucket_of(p_window text, p_at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT date_trunc(p_window, p_at, 'UTC')
$$;

-- Counts an approval. The four rows in the order of the primary key, after the lock of the account.
CREATE FUNCTION count_approval(p_card uuid, p_amount bigint, p_count integer, p_now timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO limit_counter AS c (card_id, "window", bucket, amount, count) VALUES
    (p_card, 'day', bucket_of('day', p_now), p_amount, p_count),
    (p_card, 'hour', bucket_of('hour', p_now), p_amount, p_count),
    (p_card, 'month', bucket_of('month', p_now), p_amount, p_count),
    (p_card, 'week', bucket_of('week', p_now), p_amount, p_count)
  ON CONFLICT (card_id, "window", bucket) DO UPDATE SET amount = c.amount + excluded.amount, count = c.count + excluded.count;
  RETURN 1;
END $$;

CREATE FUNCTION counters_of(
  p_card uuid, p_now timestamptz, OUT day numeric, OUT week numeric, OUT month numeric, OUT hour integer
) LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT coalesce((SELECT c.amount FROM limit_counter c
                    WHERE c.card_id = p_card AND c."window" = 'day' AND c.bucket = bucket_of('day', p_now)), 0),
         coalesce((SELECT c.amount FROM limit_counter c
                    WHERE c.card_id = p_card AND c."window" = 'week' AND c.bucket = bucket_of('week', p_now)), 0),
         coalesce((SELECT c.amount FROM limit_counter c
                    WHERE c.card_id = p_card AND c."window" = 'month' AND c.bucket = bucket_of('month', p_now)), 0),
         coalesce((SELECT c.count FROM limit_counter c
                    WHERE c.card_id = p_card AND c."window" = 'hour' AND c.bucket = bucket_of('hour', p_now)), 0)
    INTO day, week, month, hour;
END $$;

-- `data` of the CloudEvent that tells others what happened. Never the token of the card.
CREATE FUNCTION event_payload(a "authorization", e auth_event, p_ledger_account uuid) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object(
    'authorizationId', a.id, 'eventId', e.id, 'seq', e.seq, 'kind', e.kind, 'networkRef', a.network_ref,
    'cardId', a.card_id, 'spendAccountId', a.spend_account_id, 'ledgerAccountId', p_ledger_account,
    'amount', json_build_object('value', e.amount::text, 'currency', a.currency),
    'merchant', a.merchant, 'reasonCode', e.reason_code, 'detail', e.detail, 'rule', e.rule,
    'final', e.final, 'overdrawn', e.overdrawn, 'reference', e.reference, 'createdAt', iso_utc(e.created_at),
    'expiresAt', iso_utc(a.expires_at),
    'authorization', state_document(e.status, e.authorized, e.captured, e.reversed, e.released, e.held, e.seq))
$$;

-- One message, as the service has planned it.
CREATE TYPE decision_item AS (
  n integer, client_id text, key text, fingerprint bytea, id uuid, network_ref text, kind text, card_token text,
  card_id uuid, card_version integer, rule_version integer, candidate_version integer,
  amount bigint, currency text, merchant json, channel text, metadata json,
  -- `counters`: some step looks at them.
  steps json, candidate_steps json, counters boolean, risk_score smallint, risk_source text,
  hold_days integer, over_percent integer, over_up_to bigint,
  -- What is left of the caller's time. NULL: no deadline.
  deadline_ms integer
);

-- Decides the messages in the order of `n`. outcome of each:
--   created   body is the authorization, approved or declined
--   replayed  the same message was decided before; body is what was answered then
--   refused   body is the refusal {status, code}, kept with the key
--   mismatch  the key belongs to another request; no body
--   stale     planned for another version of card or rule set; nothing was written. body: the facts of the card as they are now
--   again     its key or reference is that of an earlier message in this call; nothing was written: send it once more
--
-- What has to be seen by the messages after it (funds, counters) is written one by one; the rest in one statement for all, because each
-- statement costs more than its rows: PostgreSQL reads the constraints of a table anew for every one.
CREATE FUNCTION authorization_decide(p_items json)
RETURNS TABLE (n integer, outcome text, replayed boolean, body json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  began timestamptz := clock_timestamp();
  items decision_item[];
  item decision_item;
  known_key idempotency;
  known "authorization";
  holder card;
  account spend_account;
  versions record;
  counted record;
  nothing record;
  verdict record;
  shadow record;
  a "authorization";
  decided "authorization"[] := '{}';
  repeated integer[];
  moment timestamptz;
  open_to_buy bigint;
  done integer;
BEGIN
  SELECT 0::numeric AS day, 0::numeric AS week, 0::numeric AS month, 0 AS hour INTO nothing;
  SELECT array_agg(r ORDER BY r.n) INTO items FROM json_populate_recordset(NULL::decision_item, p_items) r;

  -- A concurrent request with one of these keys waits here until the first one is decided.
  SELECT array_agg(d.n) INTO repeated FROM (
    SELECT r.n, row_number() OVER (PARTITION BY r.client_id, r.key ORDER BY r.n) AS by_key,
           row_number() OVER (PARTITION BY r.network_ref ORDER BY r.n) AS by_ref FROM unnest(items) r) d
   WHERE d.by_key > 1 OR d.by_ref > 1;
  INSERT INTO idempotency (client_id, key, fingerprint, status, auth_id)
  SELECT r.client_id, r.key, r.fingerprint, 201, r.id FROM unnest(items) r WHERE r.n <> ALL (coalesce(repeated, '{}'))
   ORDER BY r.client_id COLLATE "C", r.key COLLATE "C"
  ON CONFLICT DO NOTHING;
  -- One of a kind at a time: an authorization, its duplicate, and the reversal that overtook it.
  PERFORM pg_advisory_xact_lock(1, h.h) FROM (SELECT DISTINCT hashtext(r.network_ref) AS h FROM unnest(items) r ORDER BY 1) h;
  PERFORM 1 FROM spend_account s
    WHERE s.id IN (SELECT c.spend_account_id FROM unnest(items) r JOIN card c ON c.token = r.card_token)
    ORDER BY s.id FOR UPDATE;

  FOREACH item IN ARRAY items LOOP
    n := item.n;
    body := NULL;
    IF item.n = ANY (repeated) THEN
      outcome := 'again';
      replayed := false;
      RETURN NEXT;
      CONTINUE;
    END IF;
    replayed := true;
    SELECT * INTO known_key FROM idempotency i WHERE i.client_id = item.client_id AND i.key = item.key;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the key was purged meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    IF known_key.auth_id IS DISTINCT FROM item.id THEN
      IF known_key.fingerprint <> item.fingerprint THEN
        outcome := 'mismatch';
      ELSIF known_key.status <> 201 THEN
        outcome := 'refused';
        body := known_key.response;
      ELSE
        outcome := 'replayed';
        SELECT decision_document(x) INTO body FROM "authorization" x WHERE x.id = known_key.auth_id;
      END IF;
      RETURN NEXT;
      CONTINUE;
    END IF;

    SELECT * INTO known FROM "authorization" x WHERE x.network_ref = item.network_ref;
    IF FOUND THEN
      IF known.fingerprint = item.fingerprint THEN
        outcome := 'replayed';
        body := decision_document(known);
        UPDATE idempotency i SET auth_id = known.id WHERE i.client_id = item.client_id AND i.key = item.key;
      ELSE
        outcome := 'refused';
        replayed := false;
        body := json_build_object('status', 422, 'code', 'network-ref-mismatch', 'networkRef', item.network_ref);
        UPDATE idempotency i SET auth_id = NULL, status = 422, response = body
         WHERE i.client_id = item.client_id AND i.key = item.key;
      END IF;
      RETURN NEXT;
      CONTINUE;
    END IF;

    replayed := false;
    holder := NULL;
    account := NULL;
    versions := NULL;
    SELECT c.* INTO holder FROM card c WHERE c.token = item.card_token;
    versions := rule_set_now(holder.rule_set_id);
    IF holder.id IS DISTINCT FROM item.card_id OR holder.version IS DISTINCT FROM item.card_version
       OR versions.active IS DISTINCT FROM item.rule_version OR versions.candidate IS DISTINCT FROM item.candidate_version THEN
      outcome := 'stale';
      body := card_facts(item.card_token, NULL);
      DELETE FROM idempotency i WHERE i.client_id = item.client_id AND i.key = item.key;
      RETURN NEXT;
      CONTINUE;
    END IF;
    -- The row is locked by us, so this is how it stands after the items before this one.
    SELECT s.* INTO account FROM spend_account s WHERE s.id = holder.spend_account_id;

    moment := date_trunc('milliseconds', clock_timestamp());
    open_to_buy := account.balance + account.credit_limit - account.held - account.unposted;
    shadow := NULL;
    IF EXISTS (SELECT 1 FROM void_ref v WHERE v.network_ref = item.network_ref) THEN
      SELECT '96' AS reason, 'reversed-before-authorization' AS detail, 'message.void' AS rule,
             '{"rule":"message.void","outcome":"fail","reasonCode":"96","detail":"reversed-before-authorization"}' AS trace INTO verdict;
    -- Time that was spent waiting for locks counts, and only a difference is taken: no two clocks are compared.
    ELSIF clock_timestamp() - began >= item.deadline_ms * interval '1 millisecond' THEN
      SELECT '91' AS reason, 'deadline-exceeded' AS detail, 'message.deadline' AS rule,
             '{"rule":"message.deadline","outcome":"fail","reasonCode":"91","detail":"deadline-exceeded"}' AS trace INTO verdict;
    ELSE
      IF item.counters THEN
        counted := counters_of(holder.id, moment);
      ELSE
        counted := nothing;
      END IF;
      verdict := evaluate_steps(item.steps, item.amount, item.amount, open_to_buy, moment, holder.expires_on,
                                counted.day, counted.week, counted.month, counted.hour);
      IF item.candidate_steps IS NOT NULL THEN
        shadow := evaluate_steps(item.candidate_steps, item.amount, item.amount, open_to_buy, moment,
                                 holder.expires_on, counted.day, counted.week, counted.month, counted.hour);
        INSERT INTO shadow_decision (auth_id, rule_set_id, rule_version, decision, reason_code, rule, trace, created_at)
        VALUES (item.id, holder.rule_set_id, item.candidate_version,
                CASE WHEN shadow.reason IS NULL THEN 'APPROVED' ELSE 'DECLINED' END, coalesce(shadow.reason, '00'), shadow.rule,
                ('[' || shadow.trace || ']')::json, moment);
      END IF;
    END IF;

    a := NULL;
    a.id := item.id;
    a.network_ref := item.network_ref;
    a.fingerprint := item.fingerprint;
    a.kind := item.kind;
    a.card_token := item.card_token;
    a.card_id := holder.id;
    a.spend_account_id := holder.spend_account_id;
    a.amount := item.amount;
    a.currency := item.currency;
    a.merchant := item.merchant;
    a.channel := item.channel;
    a.decision := CASE WHEN verdict.reason IS NULL THEN 'APPROVED' ELSE 'DECLINED' END;
    a.reason_code := coalesce(verdict.reason, '00');
    a.detail := coalesce(verdict.detail, 'approved');
    a.rule := verdict.rule;
    a.trace := ('[' || verdict.trace || ']')::json;
    a.rule_set_id := holder.rule_set_id;
    a.rule_version := versions.active;
    a.risk_score := item.risk_score;
    a.risk_source := item.risk_source;
    a.over_percent := item.over_percent;
    a.over_up_to := item.over_up_to;
    a.overdrawn := verdict.reason IS NULL AND open_to_buy < item.amount;
    a.metadata := item.metadata;
    a.client_id := item.client_id;
    a.created_at := moment;
    a.expires_at := CASE WHEN verdict.reason IS NULL THEN moment + item.hold_days * interval '1 day' END;
    decided := decided || a;

    IF verdict.reason IS NULL THEN
      UPDATE spend_account s SET held = s.held + item.amount, overdrawn = s.overdrawn OR a.overdrawn WHERE s.id = account.id;
      done := count_approval(holder.id, item.amount, 1, moment);
    END IF;
  END LOOP;

  -- Columns by name, here and wherever a row is written: a migration may add some while this version still runs.
  INSERT INTO "authorization" (id, network_ref, fingerprint, kind, card_token, card_id, spend_account_id, amount, currency, merchant,
                             channel, decision, reason_code, detail, rule, trace, rule_set_id, rule_version, risk_score, risk_source,
                             over_percent, over_up_to, overdrawn, metadata, client_id, created_at, expires_at)
  SELECT u.id, u.network_ref, u.fingerprint, u.kind, u.card_token, u.card_id, u.spend_account_id, u.amount, u.currency, u.merchant,
         u.channel, u.decision, u.reason_code, u.detail, u.rule, u.trace, u.rule_set_id, u.rule_version, u.risk_score, u.risk_source,
         u.over_percent, u.over_up_to, u.overdrawn, u.metadata, u.client_id, u.created_at, u.expires_at
    FROM unnest(decided) u;
  INSERT INTO auth_event (auth_id, seq, id, kind, amount, reason_code, detail, rule, trace, overdrawn, client_id, key, fingerprint,
                          created_at, status, authorized, captured, reversed, released, held)
  SELECT u.id, 1, u.id, CASE WHEN u.decision = 'DECLINED' THEN 'DECLINED' WHEN u.kind = 'advice' THEN 'ADVICE' ELSE 'AUTHORIZED' END,
         u.amount, u.reason_code, u.detail, u.rule, u.trace, u.overdrawn, u.client_id, r.key, u.fingerprint, u.created_at,
         CASE u.decision WHEN 'APPROVED' THEN 'AUTHORIZED' ELSE 'DECLINED' END, x.held, 0, 0, 0, x.held
    FROM unnest(decided) u
    JOIN unnest(items) r ON r.id = u.id
   CROSS JOIN LATERAL (SELECT CASE u.decision WHEN 'APPROVED' THEN u.amount ELSE 0 END AS held) x;
  INSERT INTO auth_state (auth_id, spend_account_id, authorized, captured, reversed, released, held, status, version, expires_at)
  SELECT u.id, u.spend_account_id, x.held, 0, 0, 0, x.held, CASE u.decision WHEN 'APPROVED' THEN 'AUTHORIZED' ELSE 'DECLINED' END, 1,
         u.expires_at
    FROM unnest(decided) u
   CROSS JOIN LATERAL (SELECT CASE u.decision WHEN 'APPROVED' THEN u.amount ELSE 0 END AS held) x;
  INSERT INTO outbox (topic, aggregate_id, type, payload)
  SELECT 'authorizations', u.id, CASE u.decision WHEN 'APPROVED' THEN 'authorization.approved.v1' ELSE 'authorization.declined.v1' END,
         event_payload(u, f, s.ledger_account_id)
    FROM unnest(decided) u
    JOIN auth_event f ON f.auth_id = u.id AND f.seq = 1
    LEFT JOIN spend_account s ON s.id = u.spend_account_id
   ORDER BY u.created_at;
  RETURN QUERY
    SELECT r.n, 'created', false, decision_document(u) FROM unnest(decided) u JOIN unnest(items) r ON r.id = u.id;
END $$;
