-- The audit chain (audit.md): blocks are appended by the sealer, through one function that refuses what does not continue the chain.

-- Finds the block of a transaction by the database transaction that wrote it.
CREATE INDEX audit_chain_xact ON audit_chain (shard, to_xact);

-- The transactions of a block and their leaf hashes (32 bytes each), in the order of the leaves. With them a proof needs one row, a
-- verification can name the transaction that was changed or removed, and what is left of a block whose other transactions were dropped
-- with their day can still be proved.
CREATE TABLE audit_leaf (
  shard  integer NOT NULL,
  seq    bigint NOT NULL,
  ids    uuid[] NOT NULL,
  hashes bytea NOT NULL CHECK (length(hashes) = 32 * cardinality(ids)),
  PRIMARY KEY (shard, seq),
  FOREIGN KEY (shard, seq) REFERENCES audit_chain (shard, seq)
);
-- Hashes do not compress.
ALTER TABLE audit_leaf ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- What was published outside, and what was answered. Failures are not kept here: see the metrics and the log.
CREATE TABLE audit_anchor (
  -- file or http
  kind        text NOT NULL CHECK (kind IN ('file', 'http')),
  shard       integer NOT NULL,
  seq         bigint NOT NULL,
  hash        bytea NOT NULL CHECK (length(hash) = 32),
  receipt     json NOT NULL,
  anchored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (kind, shard, seq),
  FOREIGN KEY (shard, seq) REFERENCES audit_chain (shard, seq)
);

-- Days that were dropped: whoever verifies the chain counts the transactions that are missing against these. Written by ledger_drop_day.
CREATE TABLE audit_dropped_day (
  day          date NOT NULL,
  transactions bigint NOT NULL CHECK (transactions >= 0),
  dropped_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (day, dropped_at)
);

-- How far the reconciliation has verified (its check R7 goes on from here); `npm run verify` does not believe it.
CREATE TABLE audit_progress (
  shard         integer PRIMARY KEY,
  verified_seq  bigint NOT NULL,
  verified_hash bytea NOT NULL CHECK (length(verified_hash) = 32),
  -- The older block that was looked at again last.
  rechecked_seq bigint NOT NULL,
  updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['audit_anchor', 'audit_dropped_day'] LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
                      FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()', name);
  END LOOP;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit_leaf
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

-- The oldest database transaction of which there is a row; NULL when the ledger is empty.
CREATE FUNCTION audit_oldest_xact() RETURNS xid8 LANGUAGE sql STABLE AS $$
  SELECT xact FROM txn ORDER BY xact, seq LIMIT 1
$$;

-- Leaves may go when all transactions of their block are gone. The block itself stays.
CREATE FUNCTION audit_keep_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  oldest xid8 := audit_oldest_xact();
  kept record;
BEGIN
  SELECT c.shard, c.seq INTO kept FROM gone g JOIN audit_chain c USING (shard, seq) WHERE c.to_xact > oldest LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the leaves of block % are needed: transactions of it are there', kept.seq USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_leaves AFTER DELETE ON audit_leaf
  REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION audit_keep_leaves();

-- Forgets the leaves of at most p_most blocks whose transactions were all dropped; returns how many. Only for the role that owns the
-- schema.
CREATE FUNCTION audit_forget_leaves(p_most integer) RETURNS integer LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  oldest xid8 := audit_oldest_xact();
  forgotten integer;
BEGIN
  DELETE FROM audit_leaf l USING (
    SELECT c.shard, c.seq FROM audit_leaf f JOIN audit_chain c USING (shard, seq)
     WHERE oldest IS NULL OR c.to_xact <= oldest ORDER BY c.shard, c.seq LIMIT p_most) AS old
   WHERE l.shard = old.shard AND l.seq = old.seq;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END $$;

-- Appends a block: the one after the head of its shard, with every transaction of a range of database transactions that are all over.
-- The hash is made again here, so a wrong one is not written, whoever made it.
CREATE FUNCTION audit_seal(
  p_shard integer, p_seq bigint, p_from xid8, p_to xid8, p_first bigint, p_last bigint, p_ids uuid[], p_hashes bytea,
  p_root bytea, p_prev bytea, p_hash bytea, p_sealed_at timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  head record;
  range record;
  header text;
BEGIN
  SELECT c.seq, c.hash, c.to_xact INTO head FROM audit_chain c WHERE c.shard = p_shard ORDER BY c.seq DESC LIMIT 1;
  IF p_seq <> coalesce(head.seq, 0) + 1 OR p_prev <> coalesce(head.hash, decode(repeat('00', 32), 'hex'))
     OR p_from <> coalesce(head.to_xact, '0') OR p_to <= p_from THEN
    RAISE EXCEPTION 'block % does not continue the chain, which ends with block %', p_seq, coalesce(head.seq, 0)
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF p_to > pg_snapshot_xmin(pg_current_snapshot()) THEN
    RAISE EXCEPTION 'block % would end before transactions that may still come into it', p_seq
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  SELECT count(*) AS n, min(t.seq) AS first, max(t.seq) AS last INTO range FROM txn t WHERE t.xact >= p_from AND t.xact < p_to;
  IF range.n <> cardinality(p_ids) OR range.first IS DISTINCT FROM p_first OR range.last IS DISTINCT FROM p_last THEN
    RAISE EXCEPTION 'block % has % transactions (% to %), its range has % (% to %)',
      p_seq, cardinality(p_ids), p_first, p_last, range.n, range.first, range.last USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  header := format('{"count":%s,"firstTransactionSeq":"%s","lastTransactionSeq":"%s","sealedAt":"%s","seq":%s,"shard":%s,"version":1}',
                   cardinality(p_ids), p_first, p_last, iso_utc(p_sealed_at), p_seq, p_shard);
  IF p_hash IS DISTINCT FROM sha256('\x02'::bytea || p_prev || p_root || convert_to(header, 'UTF8')) THEN
    RAISE EXCEPTION 'the hash of block % is not that of %', p_seq, header USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  INSERT INTO audit_chain (shard, seq, from_xact, to_xact, first_txn_seq, last_txn_seq, n, merkle_root, prev_hash, hash, sealed_at)
  VALUES (p_shard, p_seq, p_from, p_to, p_first, p_last, cardinality(p_ids), p_root, p_prev, p_hash, p_sealed_at);
  INSERT INTO audit_leaf (shard, seq, ids, hashes) VALUES (p_shard, p_seq, p_ids, p_hashes);
END $$;

-- Keeps the receipt of a block that was published outside.
CREATE FUNCTION audit_anchored(p_kind text, p_shard integer, p_seq bigint, p_hash bytea, p_receipt json) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  INSERT INTO audit_anchor (kind, shard, seq, hash, receipt) VALUES (p_kind, p_shard, p_seq, p_hash, p_receipt) ON CONFLICT DO NOTHING
$$;

-- Keeps how far the reconciliation has verified.
CREATE FUNCTION audit_remember(p_shard integer, p_seq bigint, p_hash bytea, p_rechecked bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  INSERT INTO audit_progress (shard, verified_seq, verified_hash, rechecked_seq) VALUES (p_shard, p_seq, p_hash, p_rechecked)
  ON CONFLICT (shard) DO UPDATE SET verified_seq = excluded.verified_seq, verified_hash = excluded.verified_hash,
    rechecked_seq = excluded.rechecked_seq, updated_at = clock_timestamp()
$$;
