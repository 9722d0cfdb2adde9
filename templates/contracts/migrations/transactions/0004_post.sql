-- Posting. The application may read, and call the functions that begin with ledger_ (the service names them); nothing else.
-- Each call is one statement, so one transaction and one round trip.
--
-- Everyone locks in the same order: balances by account_no, then keys by client and key. So nobody can wait in a circle.

CREATE FUNCTION refusal_status(p_code text) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
  SELECT (CASE WHEN p_code = 'not-found' THEN 404
               WHEN p_code IN ('account-unknown', 'currency-mismatch', 'insufficient-funds', 'limit-exceeded', 'pending-exceeded') THEN 422
               ELSE 409 END)::smallint
$$;

-- Ids come from the clock of the service. One that is far from ours would land in a day that does not exist, or that is about to go.
CREATE FUNCTION check_txn_id(p_id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF abs(extract(epoch FROM uuid_time(p_id) - clock_timestamp())) > 3600 THEN
    RAISE EXCEPTION 'the id % is more than an hour away from the time of the database', p_id USING ERRCODE = 'LG001';
  END IF;
END $$;

-- Takes the keys of requests. p_stale: the key is too old to be new; it is only looked up.
-- Result, per request: 'fresh' (taken now), 'known' (decided before, or earlier in this call), 'mismatch' (known with another
-- fingerprint), 'expired' (too old to be new and not known, or its answer is no longer kept).
-- A concurrent request with the same key waits here until the first one is decided.
CREATE FUNCTION idempotency_take(
  p_clients text[], p_keys text[], p_prints bytea[], p_stale boolean[], p_ids uuid[]
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  taken_clients text[];
  taken_keys text[];
  n integer := cardinality(p_clients);
  states text[];
BEGIN
  WITH taken AS (
    INSERT INTO idempotency (client_id, key, fingerprint, status, txn_id)
    SELECT u.client, u.key, u.print, 201, u.id
      FROM unnest(p_clients, p_keys, p_prints, p_stale, p_ids) WITH ORDINALITY AS u (client, key, print, stale, id, i)
     WHERE NOT u.stale
     ORDER BY u.client COLLATE "C", u.key COLLATE "C", u.i
    ON CONFLICT DO NOTHING
    RETURNING client_id, key)
  SELECT array_agg(client_id), array_agg(key) INTO taken_clients, taken_keys FROM taken;

  IF cardinality(taken_keys) = n THEN
    states := array_fill('fresh'::text, ARRAY[n]);
  ELSE
    -- The first of equal keys is the one that was taken.
    SELECT array_agg(CASE
             WHEN t.key IS NOT NULL AND u.nth = 1 AND NOT u.stale THEN 'fresh'
             WHEN i.key IS NULL THEN 'expired'
             WHEN i.fingerprint <> u.print THEN 'mismatch'
             ELSE 'known' END ORDER BY u.i)
      INTO states
      FROM (SELECT r.*, row_number() OVER (PARTITION BY r.client, r.key, r.stale ORDER BY r.i) AS nth
              FROM unnest(p_clients, p_keys, p_prints, p_stale) WITH ORDINALITY AS r (client, key, print, stale, i)) u
      LEFT JOIN unnest(taken_clients, taken_keys) AS t (client, key) ON t.client = u.client AND t.key = u.key
      LEFT JOIN idempotency i ON i.client_id = u.client AND i.key = u.key;
  END IF;

  -- A key whose answer was purged: it is not new, whatever the table above says.
  IF EXISTS (SELECT FROM spent_key) THEN
    WITH spent AS (
      SELECT u.client, u.key, u.i
        FROM unnest(p_clients, p_keys, states) WITH ORDINALITY AS u (client, key, state, i)
        JOIN spent_key s ON s.id = spent_key_id(u.client, u.key)
       WHERE u.state = 'fresh'
    ), undone AS (
      DELETE FROM idempotency i USING spent WHERE i.client_id = spent.client AND i.key = spent.key
    )
    SELECT array_agg(CASE WHEN s.key IS NOT NULL THEN 'expired' ELSE u.state END ORDER BY u.i)
      INTO states
      FROM unnest(p_clients, p_keys, states) WITH ORDINALITY AS u (client, key, state, i)
      LEFT JOIN spent s ON s.client = u.client AND s.key = u.key;
  END IF;
  RETURN states;
END $$;

-- What was decided under a key: {transaction} (its document as text), {refusal}, {response} (an account) or {items} (of a batch).
CREATE VIEW idempotency_answer AS
  SELECT i.client_id, i.key, CASE
           WHEN i.txn_id IS NOT NULL THEN
             json_build_object('transaction', (SELECT d.body::text FROM transaction_document d WHERE d.id = i.txn_id))
           WHEN i.status = 200 THEN
             json_build_object('items', (
               SELECT json_agg(CASE WHEN json_typeof(x.item) = 'string'
                                    THEN json_build_object('transaction', (
                                           SELECT d.body::text FROM transaction_document d WHERE d.id = (x.item #>> '{}')::uuid))
                                    ELSE json_build_object('refusal', x.item) END ORDER BY x.n)
                 FROM json_array_elements(i.response) WITH ORDINALITY AS x (item, n)))
           WHEN i.status < 300 THEN json_build_object('response', i.response)
           ELSE json_build_object('refusal', i.response) END AS body
    FROM idempotency i;

CREATE FUNCTION transaction_event(p_kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_kind WHEN 'reversal' THEN 'transaction.reversed.v1' WHEN 'pending' THEN 'transaction.pending.v1'
                     WHEN 'void' THEN 'transaction.voided.v1' ELSE 'transaction.posted.v1' END
$$;

-- What others are told of transactions that were just written.
CREATE FUNCTION outbox_transactions(p_ids uuid[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (topic, aggregate_id, type, payload)
  SELECT 'transactions', d.id, transaction_event(d.kind), d.body FROM transaction_document d WHERE d.id = ANY (p_ids) ORDER BY d.id
$$;

-- What others are told of accounts whose balance was just changed.
CREATE FUNCTION outbox_balances(p_account_nos bigint[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (topic, aggregate_id, type, payload)
  SELECT 'balances', b.account_id, 'balance.changed.v1', balance_json(b) FROM account_balance b
   WHERE b.account_no = ANY (p_account_nos) ORDER BY b.account_no
$$;

-- Decides requests. A request is a transaction, or a batch of them under one key; its items are decided one by one in the given order, and
-- what one brings the next may spend. A refused item leaves the others alone.
--
-- Requests: client, key, fingerprint, whether the key is too old to be new, whether it is a batch, and where its items begin (one more at
-- the end). Items: id, kind (posting, fx, pending), currency (NULL: several), reference, business time (NULL: now), end of a pending one,
-- metadata, and where its legs begin (one more at the end). Legs: the place of the account in p_accounts, the amount (debit above zero),
-- the currency. The legs of an item sum to zero per currency: the service says so with a good message, the trigger makes sure.
--
-- p_lock_timeout: milliseconds to wait for a balance (NULL: as the connection does). p_skip_locked: do not wait at all; a request that touches a balance which somebody
-- else holds gets the state 'busy', and nothing of it is decided. So one locked account cannot hold up the others of a call.
--
-- Result: at (time of the database), states (of requests, see idempotency_take), documents (of accepted items, by id, as text), refusals
-- (by place of the item, NULL when accepted), known (by place of the request: what was decided before).
CREATE FUNCTION ledger_post_batch(
  p_clients text[], p_keys text[], p_prints bytea[], p_stale boolean[], p_is_batch boolean[], p_first_item integer[],
  p_ids uuid[], p_kinds text[], p_currencies text[], p_refs text[], p_effective timestamptz[], p_expires timestamptz[], p_metadata json[],
  p_first_leg integer[],
  p_accounts uuid[], p_leg_account integer[], p_leg_amount bigint[], p_leg_currency text[],
  p_skip_locked boolean, p_lock_timeout integer
) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
-- Planning these statements anew would cost more than running them. They are always short walks down an index.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET random_page_cost = 1 SET jit = off AS $$
DECLARE
  largest CONSTANT bigint := 9223372036854775807;
  n_requests integer := cardinality(p_clients);
  n_items integer := cardinality(p_ids);
  n_legs integer := cardinality(p_leg_account);
  wanted uuid[] := p_accounts;
  stale boolean[] := p_stale;
  busy boolean[];
  written timestamptz;
  -- Balances, by the place of the account in p_accounts.
  nos bigint[]; own_currencies text[]; credit_normal boolean[]; statuses text[]; mins bigint[];
  debits bigint[]; credits bigint[]; debits_held bigint[]; credits_held bigint[]; versions bigint[]; pending_versions bigint[];
  -- Results. Those of legs are NULL where nothing was written.
  states text[];
  known json;
  documents json;
  actors text[] := array_fill(NULL::text, ARRAY[n_items]);
  refusals json[] := array_fill(NULL::json, ARRAY[n_items]);
  leg_item integer[] := array_fill(NULL::integer, ARRAY[n_legs]);
  leg_balance bigint[] := array_fill(NULL::bigint, ARRAY[n_legs]);
  leg_debits bigint[] := array_fill(NULL::bigint, ARRAY[n_legs]);
  leg_version bigint[] := array_fill(NULL::bigint, ARRAY[n_legs]);
  any_posted boolean := false;
  any_pending boolean := false;
  any_refused boolean := false;
  first integer;
  last integer;
  -- The last leg that was taken into the balances, and the one that its item failed on.
  taken integer;
  failed integer;
  a integer;
  amount bigint;
  pending boolean;
  code text;
BEGIN
  PERFORM check_txn_id(p_ids[1]), check_txn_id(p_ids[n_items]);
  IF p_lock_timeout IS NOT NULL THEN
    PERFORM set_config('lock_timeout', p_lock_timeout::text, true);
  END IF;

  IF p_skip_locked THEN
    wanted := ARRAY(SELECT b.account_id FROM account_balance b WHERE b.account_id = ANY (p_accounts)
                     ORDER BY b.account_no FOR UPDATE SKIP LOCKED);
    -- Of the others, those that exist are busy. Their requests are only looked up.
    SELECT array_agg(EXISTS (
             SELECT FROM generate_series(p_first_leg[u.first], p_first_leg[p_first_item[u.i + 1]] - 1) AS leg
              WHERE p_accounts[p_leg_account[leg]] = ANY (others.ids)) ORDER BY u.i)
      INTO busy
      FROM unnest(p_first_item[1:n_requests]) WITH ORDINALITY AS u (first, i),
           (SELECT array_agg(b.account_id) AS ids FROM account_balance b
             WHERE b.account_id = ANY (p_accounts) AND b.account_id <> ALL (wanted)) others;
    stale := ARRAY(SELECT u.stale OR u.busy FROM unnest(p_stale, busy) WITH ORDINALITY AS u (stale, busy, i) ORDER BY u.i);
  END IF;

  -- The rows as they are once they are locked, whatever was committed while we waited.
  WITH locked AS MATERIALIZED (
    SELECT b.* FROM account_balance b WHERE b.account_id = ANY (wanted) ORDER BY b.account_no FOR UPDATE
  ), placed AS (
    SELECT l.* FROM unnest(p_accounts) WITH ORDINALITY AS u (id, i) LEFT JOIN locked l ON l.account_id = u.id ORDER BY u.i
  )
  SELECT date_trunc('milliseconds', greatest(clock_timestamp(), max(changed_at))),
         array_agg(account_no), array_agg(placed.currency), array_agg(normal_side = 'credit'), array_agg(status), array_agg(min_available),
         array_agg(debits_posted), array_agg(credits_posted), array_agg(debits_pending), array_agg(credits_pending),
         array_agg(version), array_agg(pending_version)
    INTO written, nos, own_currencies, credit_normal, statuses, mins, debits, credits, debits_held, credits_held, versions, pending_versions
    FROM placed;

  states := idempotency_take(p_clients, p_keys, p_prints, stale, (
    SELECT array_agg(CASE WHEN NOT u.is_batch THEN p_ids[u.first] END ORDER BY u.i)
      FROM unnest(p_is_batch, p_first_item[1:n_requests]) WITH ORDINALITY AS u (is_batch, first, i)));
  IF p_skip_locked THEN
    states := ARRAY(SELECT CASE WHEN u.busy AND u.state = 'expired' THEN 'busy' ELSE u.state END
                      FROM unnest(states, busy) WITH ORDINALITY AS u (state, busy, i) ORDER BY u.i);
  END IF;

  FOR r IN 1 .. n_requests LOOP
    CONTINUE WHEN states[r] <> 'fresh';
    FOR i IN p_first_item[r] .. p_first_item[r + 1] - 1 LOOP
      first := p_first_leg[i];
      last := p_first_leg[i + 1] - 1;
      pending := p_kinds[i] = 'pending';
      code := NULL;
      taken := last;
      FOR j IN first .. last LOOP
        a := p_leg_account[j];
        amount := p_leg_amount[j];
        IF nos[a] IS NULL THEN
          code := 'account-unknown';
        ELSIF statuses[a] <> 'open' THEN
          code := 'account-' || statuses[a];
        ELSIF own_currencies[a] <> p_leg_currency[j] THEN
          code := 'currency-mismatch';
        -- What is posted and held of one side stays in the range together, so no difference of the two sides leaves it.
        ELSIF amount > 0 AND debits[a] > largest - debits_held[a] - amount
           OR amount < 0 AND credits[a] > largest - credits_held[a] + amount THEN
          code := 'limit-exceeded';
        END IF;
        IF code IS NOT NULL THEN
          failed := j;
          taken := j - 1;
          EXIT;
        END IF;
        leg_item[j] := i;
        IF pending THEN
          IF amount > 0 THEN
            debits_held[a] := debits_held[a] + amount;
          ELSE
            credits_held[a] := credits_held[a] - amount;
          END IF;
          pending_versions[a] := pending_versions[a] + 1;
          leg_version[j] := pending_versions[a];
        ELSE
          IF amount > 0 THEN
            debits[a] := debits[a] + amount;
          ELSE
            credits[a] := credits[a] - amount;
          END IF;
          versions[a] := versions[a] + 1;
          leg_version[j] := versions[a];
          leg_debits[j] := debits[a];
          leg_balance[j] := debits[a] - credits[a];
        END IF;
      END LOOP;

      -- The whole item counts, not its legs one by one: money may come and go in it.
      IF code IS NULL THEN
        FOR j IN first .. last LOOP
          a := p_leg_account[j];
          IF (mins[a] > CASE WHEN credit_normal[a] THEN credits[a] - debits[a] - debits_held[a]
                             ELSE debits[a] - credits[a] - credits_held[a] END) THEN
            code := 'insufficient-funds';
            failed := j;
            EXIT;
          END IF;
        END LOOP;
      END IF;

      IF code IS NULL THEN
        actors[i] := p_clients[r];
        any_pending := any_pending OR pending;
        any_posted := any_posted OR NOT pending;
        CONTINUE;
      END IF;

      -- As if the item had never been there.
      any_refused := true;
      FOR j IN first .. taken LOOP
        a := p_leg_account[j];
        amount := p_leg_amount[j];
        IF pending THEN
          debits_held[a] := debits_held[a] - greatest(amount, 0);
          credits_held[a] := credits_held[a] + least(amount, 0);
          pending_versions[a] := pending_versions[a] - 1;
        ELSE
          debits[a] := debits[a] - greatest(amount, 0);
          credits[a] := credits[a] + least(amount, 0);
          versions[a] := versions[a] - 1;
        END IF;
        leg_item[j] := NULL;
        leg_version[j] := NULL;
        leg_balance[j] := NULL;
      END LOOP;
      a := p_leg_account[failed];
      refusals[i] := json_build_object(
        'code', code, 'leg', failed - first + 1, 'accountId', p_accounts[a], 'currency', own_currencies[a],
        'available', (CASE WHEN credit_normal[a] THEN credits[a] - debits[a] - debits_held[a]
                           ELSE debits[a] - credits[a] - credits_held[a] END)::text,
        'minAvailable', mins[a]::text);
    END LOOP;
  END LOOP;

  IF any_posted OR any_pending THEN
    INSERT INTO txn (id, kind, currency, external_ref, effective_at, expires_at, created_at, actor, metadata)
    SELECT u.id, u.kind, u.currency, u.ref, coalesce(u.effective, written), u.expires, written, u.actor, u.metadata
      FROM unnest(p_ids, p_kinds, p_currencies, p_refs, p_effective, p_expires, p_metadata, actors)
           AS u (id, kind, currency, ref, effective, expires, metadata, actor)
     WHERE u.actor IS NOT NULL;

    UPDATE account_balance b
       SET debits_posted = u.debits, credits_posted = u.credits, debits_pending = u.debits_held, credits_pending = u.credits_held,
           version = u.version, pending_version = u.pending_version, changed_at = written
      FROM unnest(nos, debits, credits, debits_held, credits_held, versions, pending_versions)
           AS u (no, debits, credits, debits_held, credits_held, version, pending_version)
     WHERE b.account_no = u.no AND (b.version <> u.version OR b.pending_version <> u.pending_version);
  END IF;

  IF any_posted THEN
    INSERT INTO entry (txn_id, account_no, amount, balance_after, debits_after, account_version, effective_at, line, currency)
    SELECT p_ids[u.item], nos[u.account], u.amount, u.balance, u.debits, u.version, p_effective[u.item],
           u.j - p_first_leg[u.item] + 1, u.currency
      FROM unnest(leg_item, p_leg_account, p_leg_amount, leg_balance, leg_debits, leg_version, p_leg_currency)
           WITH ORDINALITY AS u (item, account, amount, balance, debits, version, currency, j)
     WHERE u.balance IS NOT NULL;
  END IF;

  IF any_pending THEN
    INSERT INTO pending_entry (txn_id, account_no, amount, account_version, line, side, currency)
    SELECT p_ids[u.item], nos[u.account], abs(u.amount), u.version, u.j - p_first_leg[u.item] + 1,
           CASE WHEN u.amount > 0 THEN 'debit' ELSE 'credit' END, u.currency
      FROM unnest(leg_item, p_leg_account, p_leg_amount, leg_balance, leg_version, p_leg_currency)
           WITH ORDINALITY AS u (item, account, amount, balance, version, currency, j)
     WHERE u.item IS NOT NULL AND u.balance IS NULL;
    INSERT INTO pending_due (txn_id, expires_at)
    SELECT u.id, u.expires FROM unnest(p_ids, p_kinds, p_expires, actors) AS u (id, kind, expires, actor)
     WHERE u.kind = 'pending' AND u.actor IS NOT NULL;
  END IF;

  IF any_refused OR true = ANY (p_is_batch) THEN
    UPDATE idempotency k
       SET status = CASE WHEN u.is_batch THEN 200 ELSE refusal_status(refusals[u.first] ->> 'code') END,
           txn_id = NULL,
           response = CASE WHEN u.is_batch THEN (
                        SELECT json_agg(CASE WHEN refusals[n] IS NULL THEN to_json(p_ids[n]) ELSE refusals[n] END ORDER BY n)
                          FROM generate_series(u.first, p_first_item[u.i + 1] - 1) AS n)
                      ELSE refusals[u.first] END
      FROM unnest(p_clients, p_keys, states, p_is_batch, p_first_item[1:n_requests])
           WITH ORDINALITY AS u (client, key, state, is_batch, first, i)
     WHERE u.state = 'fresh' AND (u.is_batch OR refusals[u.first] IS NOT NULL)
       AND k.client_id = u.client AND k.key = u.key;
  END IF;

  IF any_posted OR any_pending THEN
    WITH told AS (INSERT INTO outbox (topic, aggregate_id, type, payload)
    SELECT 'transactions', t.id, transaction_event(t.kind),
           transaction_json(t.id, t.kind, t.ref, coalesce(t.effective, written), written, t.actor, NULL, NULL, t.expires, t.metadata, l.legs)
      FROM unnest(p_ids, p_kinds, p_refs, p_effective, p_expires, p_metadata, actors)
           WITH ORDINALITY AS t (id, kind, ref, effective, expires, metadata, actor, i)
      JOIN (SELECT u.item,
                   string_agg(leg_json((u.j - p_first_leg[u.item] + 1)::integer, p_accounts[u.account], u.amount, u.currency,
                                       CASE WHEN credit_normal[u.account] THEN -u.balance ELSE u.balance END,
                                       CASE WHEN u.balance IS NOT NULL THEN u.version END, NULL), ',' ORDER BY u.j) AS legs
              FROM unnest(leg_item, p_leg_account, p_leg_amount, leg_balance, leg_version, p_leg_currency)
                   WITH ORDINALITY AS u (item, account, amount, balance, version, currency, j)
             WHERE u.item IS NOT NULL GROUP BY u.item) l ON l.item = t.i
     ORDER BY t.i
    RETURNING aggregate_id, payload)
    SELECT json_object_agg(aggregate_id, payload::text) INTO documents FROM told;
    -- One per account, however many of these transactions touched it.
    INSERT INTO outbox (topic, aggregate_id, type, payload)
    SELECT 'balances', b.account_id, 'balance.changed.v1', balance_json(b) FROM account_balance b
     WHERE b.account_no = ANY (nos) AND b.changed_at = written ORDER BY b.account_no;
  END IF;

  IF 'known' = ANY (states) THEN
    SELECT json_agg(a.body ORDER BY u.i) INTO known
      FROM unnest(p_clients, p_keys, states) WITH ORDINALITY AS u (client, key, state, i)
      LEFT JOIN LATERAL (SELECT k.body FROM idempotency_answer k
                          WHERE u.state = 'known' AND k.client_id = u.client AND k.key = u.key) a ON true;
  END IF;
  RETURN json_build_object('at', iso_utc(clock_timestamp()), 'states', states, 'documents', documents,
                           'refusals', CASE WHEN any_refused THEN refusals END, 'known', known);
END $$;
