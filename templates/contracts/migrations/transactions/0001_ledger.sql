-- Double-entry ledger: tables and the rules that the database itself keeps.
--
-- Amounts are minor units of the currency in bigint. In `entry` a debit is positive and a credit is negative.
-- Rows of currency, account, txn, txn_link, txn_resolution, entry, pending_entry and audit_chain are never changed or removed;
-- a correction is a new transaction. Old days are dropped as whole partitions (0002).

CREATE TABLE currency (
  code     text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'),
  -- ISO 4217: digits of the minor unit; JPY 0, USD 2, KWD 3, CLF 4.
  exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 4)
);

-- What an account is. It never changes, so reading it needs no lock.
CREATE TABLE account (
  id          uuid PRIMARY KEY,
  no          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  currency    text NOT NULL REFERENCES currency (code),
  kind        text NOT NULL CHECK (kind IN ('asset', 'liability', 'equity', 'income', 'expense')),
  normal_side text NOT NULL CHECK (normal_side IN ('debit', 'credit')),
  name        text NOT NULL,
  metadata    json NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
  UNIQUE (no, id, currency, normal_side)
);

-- What changes. One row per account, the only thing that a posting locks, and all that it has to read; half-empty pages keep its
-- updates heap-only.
CREATE TABLE account_balance (
  account_no      bigint PRIMARY KEY,
  account_id      uuid NOT NULL UNIQUE,
  currency        text NOT NULL,
  normal_side     text NOT NULL,
  status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'frozen', 'closed')),
  min_available   bigint,
  debits_posted   bigint NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
  credits_posted  bigint NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
  debits_pending  bigint NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
  credits_pending bigint NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
  -- Number of entries of the account: gap-free, because the row is locked while they are written.
  version         bigint NOT NULL DEFAULT 0,
  -- The same for its rows in pending_entry.
  pending_version bigint NOT NULL DEFAULT 0,
  -- When its latest entry was written. It never goes back, even when the clock of the database does, so an account's entries are in the
  -- order of their time.
  changed_at      timestamptz NOT NULL DEFAULT '-infinity',
  UNIQUE (account_no, currency),
  FOREIGN KEY (account_no, account_id, currency, normal_side) REFERENCES account (no, id, currency, normal_side),
  -- The second net: the functions refuse such a posting before it comes this far.
  CONSTRAINT account_balance_min_available CHECK (
    min_available IS NULL OR
    CASE normal_side
      WHEN 'credit' THEN credits_posted - debits_posted - debits_pending
      ELSE debits_posted - credits_posted - credits_pending
    END >= min_available)
) WITH (fillfactor = 50);

CREATE TABLE account_status_change (
  account_no bigint NOT NULL REFERENCES account (no),
  seq        bigint GENERATED ALWAYS AS IDENTITY,
  status     text NOT NULL,
  reason     text NOT NULL,
  actor      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_no, seq)
);

-- Identifiers are UUIDv7 made by the service: ordered by time, so a day is a range of them and the primary key may be partitioned by it.
CREATE SEQUENCE txn_seq;

CREATE TABLE txn (
  id           uuid NOT NULL,
  seq          bigint NOT NULL DEFAULT nextval('txn_seq'),
  -- The database transaction that wrote it. Everything below pg_snapshot_xmin(pg_current_snapshot()) is complete: the sealer needs that.
  xact         xid8 NOT NULL DEFAULT pg_current_xact_id(),
  kind         text NOT NULL CHECK (kind IN ('posting', 'fx', 'pending', 'post', 'void', 'reversal')),
  -- NULL when there is more than one.
  currency     text,
  external_ref text,
  effective_at timestamptz NOT NULL,
  expires_at   timestamptz,
  created_at   timestamptz NOT NULL,
  actor        text NOT NULL,
  metadata     json NOT NULL,
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX txn_external_ref ON txn (external_ref, id) WHERE external_ref IS NOT NULL;
CREATE INDEX txn_xact ON txn (xact, seq);

-- A transaction that settles an earlier one. The state of a transaction is derived from its links, never stored.
CREATE TABLE txn_link (
  kind   text NOT NULL CHECK (kind IN ('reverses', 'resolves')),
  target uuid NOT NULL,
  txn_id uuid NOT NULL,
  -- Sum of the debits that were taken back or posted; NULL when there is more than one currency.
  amount bigint,
  PRIMARY KEY (kind, target, txn_id),
  UNIQUE (txn_id)
) PARTITION BY RANGE (txn_id);

-- A pending transaction is settled once, however many try.
CREATE TABLE txn_resolution (
  target uuid NOT NULL,
  txn_id uuid NOT NULL,
  kind   text NOT NULL CHECK (kind IN ('post', 'void', 'expired')),
  PRIMARY KEY (target)
) PARTITION BY RANGE (target);

CREATE TABLE entry (
  txn_id          uuid NOT NULL,
  account_no      bigint NOT NULL,
  amount          bigint NOT NULL CHECK (amount <> 0),
  -- Debits minus credits of the account after this entry, and its debits alone: every past balance can be read off one row.
  balance_after   bigint NOT NULL,
  debits_after    bigint NOT NULL,
  account_version bigint NOT NULL,
  -- Business time, where it is not the time of writing.
  effective_at    timestamptz,
  line            smallint NOT NULL CHECK (line >= 1),
  -- In a reversal: the line of the reversed transaction that this entry takes back.
  reverses_line   smallint,
  currency        text NOT NULL,
  PRIMARY KEY (txn_id, line),
  -- The row of account_balance is locked already when this is checked, so the check writes nothing.
  FOREIGN KEY (account_no, currency) REFERENCES account_balance (account_no, currency)
) PARTITION BY RANGE (txn_id);
-- Unique within a day; check R3 of the reconciliation proves it over all of them.
CREATE INDEX entry_account ON entry (account_no, account_version);
CREATE INDEX entry_effective ON entry (account_no, effective_at) WHERE effective_at IS NOT NULL;

-- What pending transactions hold (amount above zero) and what was released again (below zero), side by side.
CREATE TABLE pending_entry (
  txn_id          uuid NOT NULL,
  account_no      bigint NOT NULL,
  amount          bigint NOT NULL CHECK (amount <> 0),
  account_version bigint NOT NULL,
  line            smallint NOT NULL CHECK (line >= 1),
  side            text NOT NULL CHECK (side IN ('debit', 'credit')),
  currency        text NOT NULL,
  PRIMARY KEY (txn_id, line),
  FOREIGN KEY (account_no, currency) REFERENCES account_balance (account_no, currency)
) PARTITION BY RANGE (txn_id);
CREATE INDEX pending_entry_account ON pending_entry (account_no, account_version);

-- Work list of the expiry worker: the pending transactions that are not settled.
CREATE TABLE pending_due (
  txn_id     uuid PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
CREATE INDEX pending_due_expires ON pending_due (expires_at);

-- What was answered to an Idempotency-Key. A row is written only together with its decision.
CREATE TABLE idempotency (
  client_id   text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  -- As over HTTP: 201, or the status of the refusal.
  status      smallint NOT NULL,
  txn_id      uuid,
  -- The answer, when it cannot be read again from immutable rows: a refusal, an account, the results of a batch.
  response    json,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (client_id, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- Keys that were used and whose answer is no longer kept, as the first 16 bytes of a hash. Only keys that carry no time of their own (see
-- idempotency_purge): the others are known to be old by themselves.
CREATE TABLE spent_key (
  id      uuid PRIMARY KEY,
  used_on date NOT NULL
);

-- Facts to be told to others. A publisher takes them with SKIP LOCKED and removes what was confirmed.
CREATE TABLE outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic        text NOT NULL,
  aggregate_id text NOT NULL,
  type         text NOT NULL,
  payload      json NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);

-- Events of others that were handled.
CREATE TABLE inbox (
  source      text NOT NULL,
  event_id    text NOT NULL,
  type        text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, event_id)
);
CREATE INDEX inbox_received ON inbox (received_at);

-- Blocks of the audit chain, written by the sealer only (audit.md says how).
CREATE TABLE audit_chain (
  shard         integer NOT NULL,
  seq           bigint NOT NULL CHECK (seq >= 1),
  version       smallint NOT NULL DEFAULT 1,
  -- The block holds every txn with from_xact <= xact < to_xact.
  from_xact     xid8 NOT NULL,
  to_xact       xid8 NOT NULL,
  first_txn_seq bigint NOT NULL,
  last_txn_seq  bigint NOT NULL CHECK (last_txn_seq >= first_txn_seq),
  n             integer NOT NULL CHECK (n >= 1),
  merkle_root   bytea NOT NULL CHECK (length(merkle_root) = 32),
  prev_hash     bytea NOT NULL CHECK (length(prev_hash) = 32),
  hash          bytea NOT NULL CHECK (length(hash) = 32),
  sealed_at     timestamptz NOT NULL,
  PRIMARY KEY (shard, seq)
);

-- What entries of dropped days sum to, so that balance and count of an account can still be proved.
CREATE TABLE account_opening (
  account_no           bigint PRIMARY KEY REFERENCES account (no),
  debits               bigint NOT NULL,
  credits              bigint NOT NULL,
  entries              bigint NOT NULL,
  last_version         bigint NOT NULL,
  debits_pending       bigint NOT NULL DEFAULT 0,
  credits_pending      bigint NOT NULL DEFAULT 0,
  pending_entries      bigint NOT NULL DEFAULT 0,
  last_pending_version bigint NOT NULL DEFAULT 0,
  -- Nothing is known of the history of the account before this.
  history_from         timestamptz NOT NULL
);

-- Every transaction is zero per currency. The legs of a transaction are written by one statement.
CREATE FUNCTION entry_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  bad record;
BEGIN
  SELECT txn_id, currency, sum(amount) AS total, count(*) AS n INTO bad
    FROM added GROUP BY txn_id, currency
  HAVING sum(amount) <> 0 OR count(*) < 2
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'transaction % is unbalanced in %: % over % entries', bad.txn_id, bad.currency, bad.total, bad.n
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER entry_sums_to_zero AFTER INSERT ON entry
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION entry_sums_to_zero();

CREATE FUNCTION pending_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  bad record;
BEGIN
  SELECT txn_id, currency, sum(CASE side WHEN 'debit' THEN amount ELSE -amount END) AS total INTO bad
    FROM added GROUP BY txn_id, currency
  HAVING sum(CASE side WHEN 'debit' THEN amount ELSE -amount END) <> 0 OR count(*) < 2
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'pending transaction % is unbalanced in %: %', bad.txn_id, bad.currency, bad.total
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER pending_sums_to_zero AFTER INSERT ON pending_entry
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION pending_sums_to_zero();

CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden: the ledger is append-only', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['account', 'account_status_change', 'txn', 'txn_link', 'txn_resolution', 'entry', 'pending_entry', 'audit_chain']
  LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
                      FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()', name);
  END LOOP;
END $$;

CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON account_balance
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON account_opening
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
