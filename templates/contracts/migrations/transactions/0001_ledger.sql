-- Double-entry ledger: tables and the rules that the database itself keeps.
--
-- Amounts are minor units of the currency in bigint. In `entry` a debit is positive and a credit is negative.
-- Rows of currency, account, txn, txn_link and entry are never changed or removed; a correction is a new transaction.

CREATE TABLE currency (
  code     text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'),
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
  metadata    jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (no, currency),
  UNIQUE (no, normal_side)
);

-- What changes. One row per account, the only thing a posting locks; half-empty pages keep its updates heap-only.
CREATE TABLE account_balance (
  account_no      bigint PRIMARY KEY,
  normal_side     text NOT NULL,
  status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'frozen', 'closed')),
  min_available   bigint,
  debits_posted   bigint NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
  credits_posted  bigint NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
  debits_pending  bigint NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
  credits_pending bigint NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
  -- Number of entries of the account: gap-free, because the row is locked while they are written.
  version         bigint NOT NULL DEFAULT 0,
  available       bigint NOT NULL GENERATED ALWAYS AS (
    CASE normal_side
      WHEN 'credit' THEN credits_posted - debits_posted - debits_pending
      ELSE debits_posted - credits_posted - credits_pending
    END) STORED,
  FOREIGN KEY (account_no, normal_side) REFERENCES account (no, normal_side),
  -- The second net: ledger_write() refuses such a posting before it comes this far.
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

-- Identifiers are UUIDv7 made by the service: ordered by time, so day partitions can be added later.
CREATE TABLE txn (
  id           uuid PRIMARY KEY,
  seq          bigint GENERATED ALWAYS AS IDENTITY,
  kind         text NOT NULL CHECK (kind IN ('posting', 'fx', 'pending', 'post', 'void', 'reversal')),
  external_ref text,
  effective_at timestamptz NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  actor        text NOT NULL,
  metadata     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX txn_external_ref ON txn (external_ref, id) WHERE external_ref IS NOT NULL;

-- A transaction that settles an earlier one. The state of a transaction is derived from its links, never stored.
CREATE TABLE txn_link (
  kind   text NOT NULL CHECK (kind IN ('reverses', 'resolves')),
  target uuid NOT NULL REFERENCES txn (id),
  txn_id uuid NOT NULL UNIQUE REFERENCES txn (id),
  PRIMARY KEY (kind, target, txn_id)
);

CREATE TABLE entry (
  txn_id          uuid NOT NULL REFERENCES txn (id),
  line            smallint NOT NULL CHECK (line >= 1),
  account_no      bigint NOT NULL,
  currency        text NOT NULL,
  amount          bigint NOT NULL CHECK (amount <> 0),
  -- Debits minus credits of the account after this entry.
  balance_after   bigint NOT NULL,
  account_version bigint NOT NULL,
  -- In a reversal: the line of the reversed transaction that this entry takes back.
  reverses_line   smallint,
  PRIMARY KEY (txn_id, line),
  UNIQUE (account_no, account_version),
  FOREIGN KEY (account_no, currency) REFERENCES account (no, currency)
);

-- What was answered to an Idempotency-Key. A row is written only together with its decision.
CREATE TABLE idempotency (
  client_id   text NOT NULL,
  key         text NOT NULL,
  fingerprint bytea NOT NULL,
  txn_id      uuid,
  -- The answer, when it cannot be read again from immutable rows.
  response    json,
  -- The refusal, when the request was decided against.
  problem     json,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (client_id, key)
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

CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden: the ledger is append-only', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_status_change
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON txn
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON txn_link
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON account_balance
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

-- The documents that the API answers with, so that a first answer and its replay cannot differ.
CREATE FUNCTION iso_utc(t timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

CREATE VIEW account_document AS
SELECT a.id, a.no,
       json_build_object(
         'id', a.id, 'name', a.name, 'kind', a.kind, 'currency', a.currency, 'exponent', c.exponent,
         'normalSide', a.normal_side, 'status', b.status, 'minAvailable', b.min_available::text,
         'metadata', a.metadata, 'createdAt', iso_utc(a.created_at)) AS body
  FROM account a
  JOIN account_balance b ON b.account_no = a.no
  JOIN currency c ON c.code = a.currency;

CREATE VIEW transaction_document AS
SELECT t.id, t.external_ref,
       json_build_object(
         'id', t.id, 'kind', t.kind, 'externalRef', t.external_ref,
         'effectiveAt', iso_utc(t.effective_at), 'createdAt', iso_utc(t.created_at), 'actor', t.actor,
         'reverses', (SELECT l.target FROM txn_link l WHERE l.txn_id = t.id AND l.kind = 'reverses'),
         'metadata', t.metadata,
         'legs', (
           SELECT json_agg(json_build_object(
                    'line', e.line, 'accountId', a.id,
                    'direction', CASE WHEN e.amount > 0 THEN 'debit' ELSE 'credit' END,
                    'amount', json_build_object('value', abs(e.amount)::text, 'currency', e.currency),
                    'balanceAfter', (CASE a.normal_side WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END)::text,
                    'accountVersion', e.account_version,
                    'reversesLine', e.reverses_line) ORDER BY e.line)
             FROM entry e JOIN account a ON a.no = e.account_no
            WHERE e.txn_id = t.id)) AS body
  FROM txn t;

-- What is left to reverse of each line.
CREATE VIEW entry_remaining AS
SELECT e.txn_id, e.line, a.id AS account_id, e.currency, e.amount,
       (abs(e.amount) - coalesce((
          SELECT sum(abs(r.amount))
            FROM txn_link l JOIN entry r ON r.txn_id = l.txn_id AND r.reverses_line = e.line
           WHERE l.kind = 'reverses' AND l.target = e.txn_id), 0))::bigint AS remaining
  FROM entry e JOIN account a ON a.no = e.account_no;
