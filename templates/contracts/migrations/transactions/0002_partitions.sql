-- Days of UTC. A day is a range of UUIDv7, so the partition of a row follows from its id alone.

-- The smallest UUID of a moment: 48 bits of milliseconds, then zeroes.
CREATE FUNCTION uuid_floor(t timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- The moment that a UUIDv7 was made at.
CREATE FUNCTION uuid_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)
$$;

-- Makes the partitions of one day; false when they are there. Tables are made beside the ledger and then attached: readers and writers wait
-- for nothing but the short lock of the foreign key, which is taken first, as every posting does.
CREATE FUNCTION ledger_add_day(p_day date) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  suffix text := to_char(p_day, 'YYYYMMDD');
  parent text;
  part text;
BEGIN
  -- The last one of a day: when it is there, all are.
  IF to_regclass('pending_entry_' || suffix) IS NOT NULL THEN
    RETURN false;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('ledger_days', 0));
  IF to_regclass('pending_entry_' || suffix) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE account_balance IN SHARE ROW EXCLUSIVE MODE;
  FOREACH parent IN ARRAY ARRAY['txn', 'txn_link', 'txn_resolution', 'entry', 'pending_entry'] LOOP
    part := parent || '_' || suffix;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', part);
    -- Rows come in through the parent, whose triggers check them; the partition itself takes nothing.
    EXECUTE format('CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I
                      FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()', part);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
                   uuid_floor(p_day::timestamp AT TIME ZONE 'UTC'), uuid_floor((p_day + 1)::timestamp AT TIME ZONE 'UTC'));
  END LOOP;
  RETURN true;
END $$;

-- Makes the partitions of yesterday, today and the next days by the clock of the database. Returns how many days were added.
CREATE FUNCTION ledger_add_days(p_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  added integer := 0;
BEGIN
  IF p_ahead NOT BETWEEN 0 AND 60 THEN
    RAISE EXCEPTION 'days ahead must be 0 to 60, not %', p_ahead USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR i IN -1 .. p_ahead LOOP
    IF ledger_add_day(today + i) THEN
      added := added + 1;
    END IF;
  END LOOP;
  RETURN added;
END $$;

-- Drops one day and keeps what it summed to. Only for the role that owns the schema. Refuses a day that is not over, that holds what the
-- audit chain does not cover yet, or a pending transaction that is not settled, and keeps the order: the oldest day goes first.
CREATE FUNCTION ledger_drop_day(p_day date) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  suffix text := to_char(p_day, 'YYYYMMDD');
  sealed xid8;
  last_xact xid8;
  waiting bigint;
  dropped bigint;
  parent text;
BEGIN
  IF to_regclass('pending_entry_' || suffix) IS NULL THEN
    RETURN 0;
  END IF;
  -- Writers are kept out before anything is dropped, in the order in which they lock.
  LOCK TABLE account_balance IN EXCLUSIVE MODE;
  LOCK TABLE txn, txn_link, txn_resolution, entry, pending_entry IN ACCESS EXCLUSIVE MODE;
  IF p_day >= (clock_timestamp() AT TIME ZONE 'UTC')::date - 1 THEN
    RAISE EXCEPTION '% is not over; only days before yesterday can be dropped', p_day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
              WHERE i.inhparent = 'txn'::regclass AND c.relname < 'txn_' || suffix) THEN
    RAISE EXCEPTION 'there is a day before %; the oldest is dropped first', p_day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  EXECUTE format('SELECT xact FROM %I ORDER BY xact DESC LIMIT 1', 'txn_' || suffix) INTO last_xact;
  SELECT to_xact INTO sealed FROM audit_chain ORDER BY to_xact DESC LIMIT 1;
  IF last_xact IS NOT NULL AND (sealed IS NULL OR last_xact >= sealed) THEN
    RAISE EXCEPTION '% holds transactions that are not sealed yet; let the sealer run first', p_day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  SELECT count(*) INTO waiting FROM pending_due
   WHERE txn_id >= uuid_floor(p_day::timestamp AT TIME ZONE 'UTC')
     AND txn_id < uuid_floor((p_day + 1)::timestamp AT TIME ZONE 'UTC');
  IF waiting > 0 THEN
    RAISE EXCEPTION '% holds % pending transactions that are neither posted nor voided', p_day, waiting
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;

  EXECUTE format($f$
    INSERT INTO account_opening AS o (account_no, debits, credits, entries, last_version, history_from)
    SELECT account_no, coalesce(sum(amount) FILTER (WHERE amount > 0), 0), coalesce(-sum(amount) FILTER (WHERE amount < 0), 0),
           count(*), max(account_version), %2$L
      FROM %1$I GROUP BY account_no
    ON CONFLICT (account_no) DO UPDATE SET
      debits = o.debits + excluded.debits, credits = o.credits + excluded.credits, entries = o.entries + excluded.entries,
      last_version = greatest(o.last_version, excluded.last_version), history_from = excluded.history_from
    $f$, 'entry_' || suffix, (p_day + 1)::timestamp AT TIME ZONE 'UTC');
  EXECUTE format($f$
    INSERT INTO account_opening AS o (account_no, debits, credits, entries, last_version, debits_pending, credits_pending,
                                      pending_entries, last_pending_version, history_from)
    SELECT account_no, 0, 0, 0, 0, coalesce(sum(amount) FILTER (WHERE side = 'debit'), 0),
           coalesce(sum(amount) FILTER (WHERE side = 'credit'), 0), count(*), max(account_version), %2$L
      FROM %1$I GROUP BY account_no
    ON CONFLICT (account_no) DO UPDATE SET
      debits_pending = o.debits_pending + excluded.debits_pending, credits_pending = o.credits_pending + excluded.credits_pending,
      pending_entries = o.pending_entries + excluded.pending_entries,
      last_pending_version = greatest(o.last_pending_version, excluded.last_pending_version), history_from = excluded.history_from
    $f$, 'pending_entry_' || suffix, (p_day + 1)::timestamp AT TIME ZONE 'UTC');
  EXECUTE format('SELECT count(*) FROM %I', 'txn_' || suffix) INTO dropped;
  INSERT INTO audit_dropped_day (day, transactions) VALUES (p_day, dropped);
  FOREACH parent IN ARRAY ARRAY['pending_entry', 'entry', 'txn_resolution', 'txn_link', 'txn'] LOOP
    EXECUTE format('DROP TABLE %I', parent || '_' || suffix);
  END LOOP;
  RETURN dropped;
END $$;

-- The first 16 bytes of a hash of a client's key.
CREATE FUNCTION spent_key_id(p_client text, p_key text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT encode(substr(sha256(convert_to(p_client || E'\n' || p_key, 'UTF8')), 1, 16), 'hex')::uuid
$$;

-- The time inside a key that is a UUIDv7, NULL for any other key.
CREATE FUNCTION key_time(p_key text) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_key ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
              THEN to_timestamp(('x' || '0000' || left(p_key, 8) || substr(p_key, 10, 4))::bit(64)::bigint / 1000.0) END
$$;

-- Forgets the answers to keys that are older than p_hours, at most p_limit of them; returns how many. None of them can post again:
-- a key that is a UUIDv7 is refused for its age from then on (an hour before it is forgotten, and never while it is not old by its own
-- time), and of any other key a hash stays in spent_key.
CREATE FUNCTION idempotency_purge(p_hours integer, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  cutoff timestamptz := clock_timestamp() - make_interval(hours => p_hours + 1);
  purged integer;
BEGIN
  IF p_hours < 1 OR p_limit < 1 THEN
    RAISE EXCEPTION 'hours and limit must be above zero' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  WITH old AS (
    SELECT client_id, key FROM idempotency
     WHERE created_at < cutoff AND coalesce(key_time(key) < cutoff, true)
     ORDER BY created_at LIMIT p_limit
       FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM idempotency i USING old WHERE i.client_id = old.client_id AND i.key = old.key
    RETURNING i.client_id, i.key, i.created_at
  ), kept AS (
    INSERT INTO spent_key (id, used_on)
    SELECT spent_key_id(client_id, key), created_at::date FROM gone WHERE key_time(key) IS NULL
    ON CONFLICT DO NOTHING
  )
  SELECT count(*) INTO purged FROM gone;
  RETURN purged;
END $$;

SELECT ledger_add_days(7);
