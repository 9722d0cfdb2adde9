-- The only way for the application to write. It has the right to call these functions and to read; nothing else.
-- Each is one statement for the caller, so one transaction and one round trip.

-- Locks the accounts, checks the legs, writes the transaction. Returns NULL, or why it was refused (nothing is written then).
CREATE FUNCTION ledger_write(
  p_txn uuid, p_kind text, p_target uuid, p_external_ref text, p_effective_at timestamptz, p_actor text, p_metadata jsonb,
  p_accounts uuid[], p_amounts bigint[], p_currencies text[], p_reverses smallint[]
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  refusal json;
BEGIN
  -- Everyone locks in the order of account_no: no two postings can wait for each other.
  PERFORM 1
     FROM account a JOIN account_balance b ON b.account_no = a.no
    WHERE a.id = ANY (p_accounts)
    ORDER BY b.account_no
      FOR UPDATE OF b;

  -- A new statement, so it sees what was committed while we waited for the locks.
  WITH leg AS (
    SELECT l.line, l.account_id, l.amount, l.currency, a.no, a.currency AS own_currency, b.status, b.min_available,
           b.available,
           sum(CASE b.normal_side WHEN 'debit' THEN l.amount ELSE -l.amount END) OVER (PARTITION BY l.account_id) AS change
      FROM unnest(p_accounts, p_amounts, p_currencies) WITH ORDINALITY AS l (account_id, amount, currency, line)
      LEFT JOIN account a ON a.id = l.account_id
      LEFT JOIN account_balance b ON b.account_no = a.no
  ), verdict AS (
    SELECT line, account_id, currency, own_currency, available, min_available, change,
           CASE
             WHEN no IS NULL THEN 'account-unknown'
             WHEN status = 'closed' THEN 'account-closed'
             WHEN status = 'frozen' THEN 'account-frozen'
             WHEN own_currency <> currency THEN 'currency-mismatch'
             WHEN change < 0 AND available + change < min_available THEN 'insufficient-funds'
           END AS code
      FROM leg
  )
  SELECT json_build_object(
           'code', code, 'line', line, 'accountId', account_id, 'currency', own_currency,
           'available', available::text, 'minAvailable', min_available::text, 'change', change::text)
    INTO refusal
    FROM verdict WHERE code IS NOT NULL
   -- What is wrong with an account comes before what is in it.
   ORDER BY code = 'insufficient-funds', line LIMIT 1;
  IF FOUND THEN
    RETURN refusal;
  END IF;

  INSERT INTO txn (id, kind, external_ref, effective_at, actor, metadata)
  VALUES (p_txn, p_kind, p_external_ref, coalesce(p_effective_at, now()), p_actor, p_metadata);

  IF p_target IS NOT NULL THEN
    INSERT INTO txn_link (kind, target, txn_id) VALUES ('reverses', p_target, p_txn);
  END IF;

  INSERT INTO entry (txn_id, line, account_no, currency, amount, balance_after, account_version, reverses_line)
  SELECT p_txn, l.line, a.no, l.currency, l.amount,
         b.debits_posted - b.credits_posted + sum(l.amount) OVER w,
         b.version + row_number() OVER w,
         l.reverses
    FROM unnest(p_accounts, p_amounts, p_currencies, p_reverses)
         WITH ORDINALITY AS l (account_id, amount, currency, reverses, line)
    JOIN account a ON a.id = l.account_id
    JOIN account_balance b ON b.account_no = a.no
  WINDOW w AS (PARTITION BY a.no ORDER BY l.line);

  UPDATE account_balance b
     SET debits_posted = b.debits_posted + s.debits,
         credits_posted = b.credits_posted + s.credits,
         version = b.version + s.n
    FROM (SELECT a.no,
                 coalesce(sum(l.amount) FILTER (WHERE l.amount > 0), 0)::bigint AS debits,
                 coalesce(-sum(l.amount) FILTER (WHERE l.amount < 0), 0)::bigint AS credits,
                 count(*) AS n
            FROM unnest(p_accounts, p_amounts) AS l (account_id, amount)
            JOIN account a ON a.id = l.account_id
           GROUP BY a.no) s
   WHERE b.account_no = s.no;
  RETURN NULL;
END $$;

-- Takes the key for this request, or says what was answered to it before.
-- A concurrent request with the same key waits here until the first one is decided.
CREATE FUNCTION idempotency_begin(
  p_client text, p_key text, p_fingerprint bytea, p_txn uuid, OUT outcome text, OUT known idempotency
) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO idempotency (client_id, key, fingerprint, txn_id)
  VALUES (p_client, p_key, p_fingerprint, p_txn)
  ON CONFLICT DO NOTHING;
  IF FOUND THEN
    outcome := 'new';
    RETURN;
  END IF;
  SELECT * INTO known FROM idempotency i WHERE i.client_id = p_client AND i.key = p_key;
  outcome := CASE
    WHEN known.fingerprint <> p_fingerprint THEN 'mismatch'
    WHEN known.problem IS NOT NULL THEN 'refused'
    ELSE 'replayed' END;
END $$;

CREATE FUNCTION idempotency_refuse(p_client text, p_key text, p_problem json) RETURNS void LANGUAGE sql AS $$
  UPDATE idempotency SET txn_id = NULL, problem = p_problem WHERE client_id = p_client AND key = p_key
$$;

-- outcome: created | replayed (body is the transaction), refused (body is the refusal), mismatch (no body).
CREATE FUNCTION ledger_post(
  p_client text, p_key text, p_fingerprint bytea,
  p_txn uuid, p_kind text, p_external_ref text, p_effective_at timestamptz, p_metadata jsonb,
  p_accounts uuid[], p_amounts bigint[], p_currencies text[],
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  began record;
BEGIN
  SELECT * INTO began FROM idempotency_begin(p_client, p_key, p_fingerprint, p_txn);
  replayed := began.outcome <> 'new';
  outcome := began.outcome;
  IF outcome = 'new' THEN
    body := ledger_write(p_txn, p_kind, NULL, p_external_ref, p_effective_at, p_client, p_metadata,
                         p_accounts, p_amounts, p_currencies, NULL);
    IF body IS NULL THEN
      outcome := 'created';
      SELECT d.body INTO body FROM transaction_document d WHERE d.id = p_txn;
    ELSE
      outcome := 'refused';
      PERFORM idempotency_refuse(p_client, p_key, body);
    END IF;
  ELSIF outcome = 'replayed' THEN
    SELECT d.body INTO body FROM transaction_document d WHERE d.id = (began.known).txn_id;
  ELSIF outcome = 'refused' THEN
    body := (began.known).problem;
  END IF;
END $$;

-- Takes back the given amounts of the given lines of p_target, or all that is left when p_lines is NULL.
CREATE FUNCTION ledger_reverse(
  p_client text, p_key text, p_fingerprint bytea,
  p_txn uuid, p_target uuid, p_external_ref text, p_effective_at timestamptz, p_metadata jsonb,
  p_lines smallint[], p_amounts bigint[],
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  began record;
  original record;
  excess record;
  accounts uuid[];
  amounts bigint[];
  currencies text[];
  lines smallint[];
BEGIN
  SELECT * INTO began FROM idempotency_begin(p_client, p_key, p_fingerprint, p_txn);
  replayed := began.outcome <> 'new';
  outcome := began.outcome;
  IF outcome = 'replayed' THEN
    SELECT d.body INTO body FROM transaction_document d WHERE d.id = (began.known).txn_id;
    RETURN;
  ELSIF outcome <> 'new' THEN
    body := (began.known).problem;
    RETURN;
  END IF;

  -- Reversals of one transaction wait for each other here, before any balance is locked.
  SELECT t.kind INTO original FROM txn t WHERE t.id = p_target FOR UPDATE;
  IF NOT FOUND THEN
    body := json_build_object('code', 'not-found');
  ELSIF original.kind = 'reversal' THEN
    body := json_build_object('code', 'not-reversible');
  ELSIF p_lines IS NOT NULL THEN
    SELECT w.line, w.amount, r.remaining INTO excess
      FROM (SELECT u.line, sum(u.amount) AS amount
              FROM unnest(p_lines, p_amounts) AS u (line, amount) GROUP BY u.line) w
      LEFT JOIN entry_remaining r ON r.txn_id = p_target AND r.line = w.line
     WHERE r.remaining IS NULL OR w.amount > r.remaining
     ORDER BY w.line LIMIT 1;
    IF FOUND THEN
      body := json_build_object('code', 'already-reversed', 'line', excess.line,
                                'requested', excess.amount::text, 'remaining', excess.remaining::text);
    END IF;
  ELSIF NOT EXISTS (SELECT 1 FROM entry_remaining r WHERE r.txn_id = p_target AND r.remaining > 0) THEN
    body := json_build_object('code', 'already-reversed', 'remaining', '0');
  END IF;

  IF body IS NULL THEN
    SELECT array_agg(r.account_id ORDER BY r.line),
           array_agg(-sign(r.amount)::bigint * coalesce(w.amount, r.remaining) ORDER BY r.line),
           array_agg(r.currency ORDER BY r.line),
           array_agg(r.line ORDER BY r.line)
      INTO accounts, amounts, currencies, lines
      FROM entry_remaining r
      LEFT JOIN unnest(p_lines, p_amounts) AS w (line, amount) ON w.line = r.line
     WHERE r.txn_id = p_target AND r.remaining > 0 AND (p_lines IS NULL OR w.line IS NOT NULL);
    body := ledger_write(p_txn, 'reversal', p_target, p_external_ref, p_effective_at, p_client, p_metadata,
                         accounts, amounts, currencies, lines);
  END IF;

  IF body IS NULL THEN
    outcome := 'created';
    SELECT d.body INTO body FROM transaction_document d WHERE d.id = p_txn;
  ELSE
    outcome := 'refused';
    PERFORM idempotency_refuse(p_client, p_key, body);
  END IF;
END $$;

CREATE FUNCTION ledger_open_account(
  p_client text, p_key text, p_fingerprint bytea,
  p_account uuid, p_name text, p_kind text, p_normal_side text, p_currency text, p_min_available bigint, p_metadata jsonb,
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  began record;
  opened bigint;
BEGIN
  SELECT * INTO began FROM idempotency_begin(p_client, p_key, p_fingerprint, NULL);
  replayed := began.outcome <> 'new';
  outcome := began.outcome;
  IF outcome = 'new' THEN
    INSERT INTO account (id, name, kind, normal_side, currency, metadata)
    VALUES (p_account, p_name, p_kind, p_normal_side, p_currency, p_metadata)
    RETURNING no INTO opened;
    INSERT INTO account_balance (account_no, normal_side, min_available)
    VALUES (opened, p_normal_side, p_min_available);
    SELECT d.body INTO body FROM account_document d WHERE d.id = p_account;
    UPDATE idempotency SET response = body WHERE client_id = p_client AND key = p_key;
    outcome := 'created';
  ELSE
    body := coalesce((began.known).response, (began.known).problem);
  END IF;
END $$;

-- open <-> frozen -> closed. Closing needs a balance of zero and is final.
CREATE FUNCTION ledger_set_account_status(
  p_client text, p_key text, p_fingerprint bytea, p_account uuid, p_status text, p_reason text,
  OUT outcome text, OUT replayed boolean, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  began record;
  b record;
BEGIN
  SELECT * INTO began FROM idempotency_begin(p_client, p_key, p_fingerprint, NULL);
  replayed := began.outcome <> 'new';
  outcome := began.outcome;
  IF outcome <> 'new' THEN
    body := coalesce((began.known).response, (began.known).problem);
    RETURN;
  END IF;
  SELECT bal.* INTO b FROM account a JOIN account_balance bal ON bal.account_no = a.no
   WHERE a.id = p_account FOR UPDATE OF bal;
  IF NOT FOUND THEN
    body := json_build_object('code', 'not-found');
  ELSIF b.status = 'closed' THEN
    body := json_build_object('code', 'account-closed', 'accountId', p_account);
  ELSIF p_status = 'closed' AND (b.debits_posted <> b.credits_posted OR b.debits_pending + b.credits_pending > 0) THEN
    body := json_build_object('code', 'account-not-empty', 'accountId', p_account, 'available', b.available::text);
  END IF;
  IF body IS NOT NULL THEN
    outcome := 'refused';
    PERFORM idempotency_refuse(p_client, p_key, body);
    RETURN;
  END IF;
  UPDATE account_balance SET status = p_status WHERE account_no = b.account_no;
  INSERT INTO account_status_change (account_no, status, reason, actor)
  VALUES (b.account_no, p_status, p_reason, p_client);
  SELECT d.body INTO body FROM account_document d WHERE d.id = p_account;
  UPDATE idempotency SET response = body WHERE client_id = p_client AND key = p_key;
  outcome := 'created';
END $$;
