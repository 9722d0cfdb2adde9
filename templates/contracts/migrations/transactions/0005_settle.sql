-- What happens to transactions later: reversal, post, void, expiry; and to accounts: opening, status.

-- Takes one key; see idempotency_take.
CREATE FUNCTION idempotency_take_one(p_client text, p_key text, p_print bytea, p_stale boolean, p_txn uuid) RETURNS text
LANGUAGE sql AS $$
  SELECT (idempotency_take(ARRAY[p_client], ARRAY[p_key], ARRAY[p_print], ARRAY[p_stale], ARRAY[p_txn]))[1]
$$;

-- Keeps a refusal under a key that was taken for this request.
CREATE FUNCTION idempotency_refuse(p_client text, p_key text, p_refusal json) RETURNS void LANGUAGE sql AS $$
  UPDATE idempotency SET txn_id = NULL, response = p_refusal, status = refusal_status(p_refusal ->> 'code')
   WHERE client_id = p_client AND key = p_key
$$;

-- Writes the transaction that settles p_target: a reversal, the post or the void of a pending one. Balances are locked by the caller.
-- Lines are those of the target; amounts are signed as in `entry`. Returns NULL, or why it was refused (nothing is written then).
CREATE FUNCTION settle_write(
  p_kind text, p_resolution text, p_txn uuid, p_target uuid, p_ref text, p_effective timestamptz, p_actor text, p_metadata json,
  p_lines smallint[], p_account_nos bigint[], p_amounts bigint[], p_currencies text[]
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  refusal json;
  written timestamptz;
  moves boolean := p_kind <> 'void';
BEGIN
  PERFORM check_txn_id(p_txn);
  WITH leg AS (
    SELECT l.line, b.*, l.amount,
           sum(CASE b.normal_side WHEN 'debit' THEN l.amount ELSE -l.amount END) OVER (PARTITION BY l.no) AS change,
           sum(greatest(l.amount, 0)) OVER (PARTITION BY l.no) AS more_debits,
           sum(-least(l.amount, 0)) OVER (PARTITION BY l.no) AS more_credits,
           CASE b.normal_side WHEN 'debit' THEN b.debits_posted - b.credits_posted - b.credits_pending
                              ELSE b.credits_posted - b.debits_posted - b.debits_pending END AS available
      FROM unnest(p_account_nos, p_amounts, p_lines) AS l (no, amount, line)
      JOIN account_balance b ON b.account_no = l.no
  ), verdict AS (
    SELECT *, CASE
             WHEN NOT moves THEN NULL
             WHEN status <> 'open' THEN 'account-' || status
             -- What a post moves was held before; it cannot go beyond the range or the funds.
             WHEN p_kind = 'post' THEN NULL
             WHEN debits_posted + debits_pending + more_debits > 9223372036854775807
               OR credits_posted + credits_pending + more_credits > 9223372036854775807 THEN 'limit-exceeded'
             WHEN change < 0 AND available + change < min_available THEN 'insufficient-funds' END AS code
      FROM leg
  )
  SELECT json_build_object('code', code, 'accountId', account_id, 'currency', currency, 'available', available::text,
                           'minAvailable', min_available::text)
    INTO refusal FROM verdict WHERE code IS NOT NULL
   ORDER BY code = 'insufficient-funds', line LIMIT 1;
  IF FOUND THEN
    RETURN refusal;
  END IF;

  SELECT date_trunc('milliseconds', greatest(clock_timestamp(), max(changed_at))) INTO written
    FROM account_balance WHERE account_no = ANY (p_account_nos);
  INSERT INTO txn (id, kind, currency, external_ref, effective_at, created_at, actor, metadata)
  SELECT p_txn, p_kind, CASE WHEN count(DISTINCT c) = 1 THEN min(c) END, p_ref, coalesce(p_effective, written), written, p_actor, p_metadata
    FROM unnest(p_currencies) AS c;
  INSERT INTO txn_link (kind, target, txn_id, amount)
  SELECT CASE p_kind WHEN 'reversal' THEN 'reverses' ELSE 'resolves' END, p_target, p_txn,
         CASE WHEN moves AND count(DISTINCT u.currency) = 1 THEN sum(greatest(u.amount, 0)) END
    FROM unnest(p_amounts, p_currencies) AS u (amount, currency);

  IF moves THEN
    INSERT INTO entry (txn_id, account_no, amount, balance_after, debits_after, account_version, effective_at, line, reverses_line, currency)
    SELECT p_txn, l.no, l.amount,
           b.debits_posted - b.credits_posted + sum(l.amount) OVER w,
           b.debits_posted + sum(greatest(l.amount, 0)) OVER w,
           b.version + row_number() OVER w, p_effective,
           CASE p_kind WHEN 'reversal' THEN l.i ELSE l.line END, CASE p_kind WHEN 'reversal' THEN l.line END, l.currency
      FROM unnest(p_account_nos, p_amounts, p_currencies, p_lines) WITH ORDINALITY AS l (no, amount, currency, line, i)
      JOIN account_balance b ON b.account_no = l.no
    WINDOW w AS (PARTITION BY l.no ORDER BY l.i);
    UPDATE account_balance b
       SET debits_posted = b.debits_posted + s.debits, credits_posted = b.credits_posted + s.credits, version = b.version + s.n,
           -- A post gives back what was held in the same update: the two together need no more than what was held.
           debits_pending = b.debits_pending - s.debits_held, credits_pending = b.credits_pending - s.credits_held,
           pending_version = b.pending_version + s.n_held, changed_at = written
      FROM (SELECT x.no, sum(x.debits)::bigint AS debits, sum(x.credits)::bigint AS credits, sum(x.n) AS n,
                   sum(x.debits_held)::bigint AS debits_held, sum(x.credits_held)::bigint AS credits_held, sum(x.n_held) AS n_held
              FROM (SELECT l.no, greatest(l.amount, 0) AS debits, -least(l.amount, 0) AS credits, 1 AS n, 0 AS debits_held, 0 AS credits_held,
                           0 AS n_held
                      FROM unnest(p_account_nos, p_amounts) AS l (no, amount)
                    UNION ALL
                    SELECT p.account_no, 0, 0, 0, CASE p.side WHEN 'debit' THEN p.amount ELSE 0 END,
                           CASE p.side WHEN 'credit' THEN p.amount ELSE 0 END, 1
                      FROM pending_entry p WHERE p_kind = 'post' AND p.txn_id = p_target) x
             GROUP BY x.no) s
     WHERE b.account_no = s.no;
  ELSE
    UPDATE account_balance b
       SET debits_pending = b.debits_pending - s.debits_held, credits_pending = b.credits_pending - s.credits_held,
           pending_version = b.pending_version + s.n, changed_at = written
      FROM (SELECT p.account_no, coalesce(sum(p.amount) FILTER (WHERE p.side = 'debit'), 0)::bigint AS debits_held,
                   coalesce(sum(p.amount) FILTER (WHERE p.side = 'credit'), 0)::bigint AS credits_held, count(*) AS n
              FROM pending_entry p WHERE p.txn_id = p_target GROUP BY p.account_no) s
     WHERE b.account_no = s.account_no;
  END IF;

  IF p_kind <> 'reversal' THEN
    INSERT INTO txn_resolution (target, txn_id, kind) VALUES (p_target, p_txn, p_resolution);
    DELETE FROM pending_due WHERE txn_id = p_target;
    -- After the update above the version counts these rows already.
    INSERT INTO pending_entry (txn_id, account_no, amount, account_version, line, side, currency)
    SELECT p_txn, p.account_no, -p.amount,
           b.pending_version - count(*) OVER (PARTITION BY p.account_no) + row_number() OVER (PARTITION BY p.account_no ORDER BY p.line),
           p.line, p.side, p.currency
      FROM pending_entry p JOIN account_balance b ON b.account_no = p.account_no
     WHERE p.txn_id = p_target;
  END IF;

  PERFORM outbox_transactions(ARRAY[p_txn]);
  PERFORM outbox_balances(ARRAY(SELECT DISTINCT no FROM unnest(p_account_nos) AS no ORDER BY no));
  RETURN NULL;
END $$;

-- The accounts of a transaction, locked in the order that everyone locks in. They never change, so they may be looked up before.
CREATE FUNCTION lock_accounts_of(p_target uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM account_balance b
    WHERE b.account_no IN (SELECT e.account_no FROM entry e WHERE e.txn_id = p_target
                           UNION SELECT p.account_no FROM pending_entry p WHERE p.txn_id = p_target)
    ORDER BY b.account_no FOR UPDATE;
END $$;

-- Takes back (p_kind reversal), posts or voids p_target: the given amounts of the given lines, or all that is left when p_lines is NULL.
-- state as in idempotency_take; body: for 'fresh' {transaction | refusal}, for 'known' what was decided before.
CREATE FUNCTION ledger_settle(
  p_client text, p_key text, p_print bytea, p_stale boolean,
  p_kind text, p_txn uuid, p_target uuid, p_ref text, p_effective timestamptz, p_metadata json, p_lines smallint[], p_amounts bigint[],
  OUT state text, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  target record;
  resolution record;
  excess record;
  refusal json;
  lines smallint[];
  nos bigint[];
  amounts bigint[];
  currencies text[];
BEGIN
  -- All who settle the same transaction wait for each other here: they lock the same balances.
  PERFORM lock_accounts_of(p_target);
  state := idempotency_take_one(p_client, p_key, p_print, p_stale, p_txn);
  IF state = 'known' THEN
    body := (SELECT k.body FROM idempotency_answer k WHERE k.client_id = p_client AND k.key = p_key);
  END IF;
  IF state <> 'fresh' THEN
    RETURN;
  END IF;

  SELECT t.kind, t.expires_at INTO target FROM txn t WHERE t.id = p_target;
  IF NOT FOUND THEN
    refusal := json_build_object('code', 'not-found');
  ELSIF p_kind = 'reversal' THEN
    IF target.kind NOT IN ('posting', 'fx', 'post') THEN
      refusal := json_build_object('code', 'not-reversible', 'kind', target.kind);
    ELSE
      SELECT w.line, w.amount, r.remaining INTO excess
        FROM unnest(p_lines, p_amounts) AS w (line, amount)
        LEFT JOIN entry_remaining r ON r.txn_id = p_target AND r.line = w.line
       WHERE r.remaining IS NULL OR w.amount > r.remaining
       ORDER BY w.line LIMIT 1;
      IF FOUND THEN
        refusal := json_build_object('code', 'already-reversed', 'line', excess.line, 'requested', excess.amount::text,
                                     'remaining', excess.remaining::text);
      ELSE
        SELECT array_agg(r.line ORDER BY r.line), array_agg(r.account_no ORDER BY r.line), array_agg(r.currency ORDER BY r.line),
               array_agg(-sign(r.amount)::bigint * coalesce(w.amount, r.remaining) ORDER BY r.line)
          INTO lines, nos, currencies, amounts
          FROM entry_remaining r
          LEFT JOIN unnest(p_lines, p_amounts) AS w (line, amount) ON w.line = r.line
         WHERE r.txn_id = p_target AND r.remaining > 0 AND (p_lines IS NULL OR w.line IS NOT NULL);
        IF lines IS NULL THEN
          refusal := json_build_object('code', 'already-reversed', 'remaining', '0');
        END IF;
      END IF;
    END IF;
  ELSIF target.kind <> 'pending' THEN
    refusal := json_build_object('code', 'not-pending', 'kind', target.kind);
  ELSE
    SELECT r.kind, r.txn_id INTO resolution FROM txn_resolution r WHERE r.target = p_target;
    IF FOUND THEN
      refusal := CASE resolution.kind WHEN 'expired' THEN json_build_object('code', 'pending-expired')
                      ELSE json_build_object('code', 'already-resolved', 'transactionId', resolution.txn_id) END;
    ELSIF target.expires_at <= clock_timestamp() THEN
      refusal := json_build_object('code', 'pending-expired');
    ELSE
      SELECT w.line, w.amount, p.amount AS held INTO excess
        FROM unnest(p_lines, p_amounts) AS w (line, amount)
        LEFT JOIN pending_entry p ON p.txn_id = p_target AND p.line = w.line
       WHERE p.line IS NULL OR w.amount > p.amount
       ORDER BY w.line LIMIT 1;
      IF FOUND THEN
        refusal := json_build_object('code', 'pending-exceeded', 'line', excess.line, 'requested', excess.amount::text,
                                     'remaining', excess.held::text);
      ELSE
        SELECT array_agg(p.line ORDER BY p.line), array_agg(p.account_no ORDER BY p.line), array_agg(p.currency ORDER BY p.line),
               array_agg(coalesce(w.amount, p.amount) * CASE p.side WHEN 'debit' THEN 1 ELSE -1 END ORDER BY p.line)
          INTO lines, nos, currencies, amounts
          FROM pending_entry p
          LEFT JOIN unnest(p_lines, p_amounts) AS w (line, amount) ON w.line = p.line
         WHERE p.txn_id = p_target AND (p_lines IS NULL OR w.line IS NOT NULL);
      END IF;
    END IF;
  END IF;

  IF refusal IS NULL THEN
    refusal := settle_write(p_kind, p_kind, p_txn, p_target, p_ref, p_effective, p_client, p_metadata, lines, nos, amounts, currencies);
  END IF;
  IF refusal IS NULL THEN
    body := json_build_object('transaction', (SELECT d.body::text FROM transaction_document d WHERE d.id = p_txn));
  ELSE
    body := json_build_object('refusal', refusal);
    PERFORM idempotency_refuse(p_client, p_key, refusal);
  END IF;
END $$;

-- Voids a pending transaction whose time is over. False when somebody settled it meanwhile.
CREATE FUNCTION ledger_expire(p_target uuid, p_txn uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  lines smallint[];
  nos bigint[];
  amounts bigint[];
  currencies text[];
BEGIN
  PERFORM lock_accounts_of(p_target);
  PERFORM 1 FROM pending_due d WHERE d.txn_id = p_target AND d.expires_at <= clock_timestamp();
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  SELECT array_agg(p.line ORDER BY p.line), array_agg(p.account_no ORDER BY p.line), array_agg(p.currency ORDER BY p.line),
         array_agg(p.amount * CASE p.side WHEN 'debit' THEN 1 ELSE -1 END ORDER BY p.line)
    INTO lines, nos, currencies, amounts
    FROM pending_entry p WHERE p.txn_id = p_target;
  PERFORM settle_write('void', 'expired', p_txn, p_target, NULL, NULL, 'system:expiry', '{}', lines, nos, amounts, currencies);
  RETURN true;
END $$;

CREATE FUNCTION ledger_open_account(
  p_client text, p_key text, p_print bytea, p_stale boolean,
  p_account uuid, p_name text, p_kind text, p_normal_side text, p_currency text, p_min_available bigint, p_metadata json,
  OUT state text, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  opened bigint;
  document json;
BEGIN
  state := idempotency_take_one(p_client, p_key, p_print, p_stale, NULL);
  IF state = 'known' THEN
    body := (SELECT k.body FROM idempotency_answer k WHERE k.client_id = p_client AND k.key = p_key);
  END IF;
  IF state <> 'fresh' THEN
    RETURN;
  END IF;
  INSERT INTO account (id, name, kind, normal_side, currency, metadata)
  VALUES (p_account, p_name, p_kind, p_normal_side, p_currency, p_metadata)
  RETURNING no INTO opened;
  INSERT INTO account_balance (account_no, account_id, currency, normal_side, min_available)
  VALUES (opened, p_account, p_currency, p_normal_side, p_min_available);
  SELECT d.body INTO document FROM account_document d WHERE d.id = p_account;
  UPDATE idempotency SET response = document WHERE client_id = p_client AND key = p_key;
  body := json_build_object('response', document);
END $$;

-- open <-> frozen -> closed. Closing needs a balance of zero with nothing pending, and is final.
CREATE FUNCTION ledger_set_account_status(
  p_client text, p_key text, p_print bytea, p_stale boolean, p_account uuid, p_status text, p_reason text, OUT state text, OUT body json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  b record;
  refusal json;
  document json;
BEGIN
  SELECT bal.* INTO b FROM account_balance bal WHERE bal.account_id = p_account FOR UPDATE;
  state := idempotency_take_one(p_client, p_key, p_print, p_stale, NULL);
  IF state = 'known' THEN
    body := (SELECT k.body FROM idempotency_answer k WHERE k.client_id = p_client AND k.key = p_key);
  END IF;
  IF state <> 'fresh' THEN
    RETURN;
  END IF;
  IF b.account_no IS NULL THEN
    refusal := json_build_object('code', 'not-found');
  ELSIF b.status = 'closed' THEN
    refusal := json_build_object('code', 'account-closed', 'accountId', p_account);
  ELSIF p_status = 'closed' AND (b.debits_posted <> b.credits_posted OR b.debits_pending > 0 OR b.credits_pending > 0) THEN
    refusal := json_build_object('code', 'account-not-empty', 'accountId', p_account);
  END IF;
  IF refusal IS NOT NULL THEN
    body := json_build_object('refusal', refusal);
    PERFORM idempotency_refuse(p_client, p_key, refusal);
    RETURN;
  END IF;
  UPDATE account_balance SET status = p_status WHERE account_no = b.account_no;
  INSERT INTO account_status_change (account_no, status, reason, actor) VALUES (b.account_no, p_status, p_reason, p_client);
  SELECT d.body INTO document FROM account_document d WHERE d.id = p_account;
  UPDATE idempotency SET response = document WHERE client_id = p_client AND key = p_key;
  body := json_build_object('response', document);
END $$;
