-- The documents that the API answers with, that events carry and that the audit chain seals: made in one place, so they cannot differ.

-- As the API writes a time.
CREATE FUNCTION iso_utc(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- One leg as JSON text. The balance is on the normal side of the account.
CREATE FUNCTION leg_json(
  line integer, account_id uuid, amount bigint, currency text, balance bigint, version bigint, reverses_line smallint
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT format('{"line":%s,"accountId":"%s","direction":"%s","amount":{"value":"%s","currency":"%s"},'
                '"balanceAfter":%s,"accountVersion":%s,"reversesLine":%s}',
    line, account_id, CASE WHEN amount > 0 THEN 'debit' ELSE 'credit' END, abs(amount), currency,
    coalesce('"' || balance || '"', 'null'), coalesce(version::text, 'null'), coalesce(reverses_line::text, 'null'))
$$;

CREATE FUNCTION transaction_json(
  id uuid, kind text, external_ref text, effective_at timestamptz, created_at timestamptz, actor text, reverses uuid, resolves uuid,
  expires_at timestamptz, metadata json, legs text
) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT format('{"id":"%s","kind":"%s","externalRef":%s,"effectiveAt":"%s","createdAt":"%s","actor":%s,'
                '"reverses":%s,"resolves":%s,"expiresAt":%s,"metadata":%s,"legs":[%s]}',
    id, kind, coalesce(to_json(external_ref)::text, 'null'), iso_utc(effective_at), iso_utc(created_at), to_json(actor),
    coalesce('"' || reverses || '"', 'null'), coalesce('"' || resolves || '"', 'null'),
    coalesce('"' || iso_utc(expires_at) || '"', 'null'), metadata, legs)::json
$$;

-- A transaction as it was written. It never changes, so this is also its sealed form (audit.md).
CREATE VIEW transaction_document AS
SELECT t.id, t.seq, t.xact, t.external_ref, t.kind, t.created_at, t.expires_at,
       transaction_json(
         t.id, t.kind, t.external_ref, t.effective_at, t.created_at, t.actor,
         CASE WHEN t.kind = 'reversal' THEN (SELECT l.target FROM txn_link l WHERE l.txn_id = t.id) END,
         CASE WHEN t.kind IN ('post', 'void') THEN (SELECT l.target FROM txn_link l WHERE l.txn_id = t.id) END,
         t.expires_at, t.metadata,
         CASE WHEN t.kind IN ('pending', 'void') THEN (
           SELECT string_agg(leg_json(p.line, b.account_id, CASE p.side WHEN 'debit' THEN abs(p.amount) ELSE -abs(p.amount) END, p.currency,
                                      NULL, NULL, NULL), ',' ORDER BY p.line)
             FROM pending_entry p JOIN account_balance b ON b.account_no = p.account_no WHERE p.txn_id = t.id)
         ELSE (
           SELECT string_agg(leg_json(e.line, b.account_id, e.amount, e.currency,
                                      CASE b.normal_side WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END,
                                      e.account_version, e.reverses_line), ',' ORDER BY e.line)
             FROM entry e JOIN account_balance b ON b.account_no = e.account_no WHERE e.txn_id = t.id)
         END) AS body
  FROM txn t;

CREATE VIEW account_document AS
SELECT a.id, a.no,
       json_build_object(
         'id', a.id, 'name', a.name, 'kind', a.kind, 'currency', a.currency, 'exponent', c.exponent,
         'normalSide', a.normal_side, 'status', b.status, 'minAvailable', b.min_available::text,
         'metadata', a.metadata, 'createdAt', iso_utc(a.created_at)) AS body
  FROM account a
  JOIN account_balance b ON b.account_no = a.no
  JOIN currency c ON c.code = a.currency;

-- What is left to reverse of each line of a transaction that moved money.
CREATE VIEW entry_remaining AS
SELECT e.txn_id, e.line, b.account_id, e.account_no, e.currency, e.amount,
       (abs(e.amount) - coalesce((
          SELECT sum(abs(r.amount))
            FROM txn_link l JOIN entry r ON r.txn_id = l.txn_id AND r.reverses_line = e.line
           WHERE l.kind = 'reverses' AND l.target = e.txn_id), 0))::bigint AS remaining
  FROM entry e JOIN account_balance b ON b.account_no = e.account_no;

-- Posted figures of an account at a moment of business time: debits, credits and number of entries whose effective_at is not after it.
--
-- Entries of an account are in the order of their time of writing, and each carries the sums up to it. So the last one written by then is
-- found by halving, and only entries whose business time was given apart have to be looked at one by one. NULL history: nothing is known of
-- that time, because its days were dropped.
CREATE FUNCTION balance_at(
  p_account_no bigint, p_at timestamptz, OUT debits bigint, OUT credits bigint, OUT entries bigint, OUT known boolean
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  opening record;
  low bigint := 0;
  high bigint;
  middle bigint;
  probe record;
  late record;
  early record;
BEGIN
  SELECT * INTO opening FROM account_opening o WHERE o.account_no = p_account_no;
  known := opening IS NULL OR p_at >= opening.history_from;
  IF NOT known THEN
    RETURN;
  END IF;
  debits := coalesce(opening.debits, 0);
  credits := coalesce(opening.credits, 0);
  entries := coalesce(opening.entries, 0);
  SELECT b.version INTO high FROM account_balance b WHERE b.account_no = p_account_no;
  -- The last version in [low, high] that was written by then; versions that are gone are older than all that is asked for.
  WHILE low < high LOOP
    middle := low + (high - low + 1) / 2;
    SELECT e.account_version, e.debits_after, e.balance_after, t.created_at INTO probe
      FROM entry e JOIN txn t ON t.id = e.txn_id
     WHERE e.account_no = p_account_no AND e.account_version >= middle
     ORDER BY e.account_version LIMIT 1;
    IF FOUND AND probe.created_at <= p_at THEN
      low := greatest(probe.account_version, middle);
      debits := probe.debits_after;
      credits := probe.debits_after - probe.balance_after;
      entries := probe.account_version;
    ELSE
      high := middle - 1;
    END IF;
  END LOOP;
  -- Written by then, but to count later.
  SELECT coalesce(sum(greatest(e.amount, 0)), 0) AS debits, coalesce(-sum(least(e.amount, 0)), 0) AS credits, count(*) AS n INTO late
    FROM entry e WHERE e.account_no = p_account_no AND e.effective_at > p_at AND e.account_version <= low;
  -- Written later, but to count by then.
  SELECT coalesce(sum(greatest(e.amount, 0)), 0) AS debits, coalesce(-sum(least(e.amount, 0)), 0) AS credits, count(*) AS n INTO early
    FROM entry e WHERE e.account_no = p_account_no AND e.effective_at <= p_at AND e.account_version > low;
  debits := debits - late.debits + early.debits;
  credits := credits - late.credits + early.credits;
  entries := entries - late.n + early.n;
END $$;

-- The balance of an account as it is now: posted on its normal side; pending is what pending transactions would take out.
CREATE FUNCTION balance_json(b account_balance) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT format('{"accountId":"%s","currency":"%s","normalSide":"%s","posted":"%s","pending":"%s","available":"%s",'
                '"debitsPosted":"%s","creditsPosted":"%s","version":%s}',
    b.account_id, b.currency, b.normal_side,
    CASE b.normal_side WHEN 'debit' THEN b.debits_posted - b.credits_posted ELSE b.credits_posted - b.debits_posted END,
    CASE b.normal_side WHEN 'debit' THEN b.credits_pending ELSE b.debits_pending END,
    CASE b.normal_side WHEN 'debit' THEN b.debits_posted - b.credits_posted - b.credits_pending
                       ELSE b.credits_posted - b.debits_posted - b.debits_pending END,
    b.debits_posted, b.credits_posted, b.version)::json
$$;
