-- Card authorizations: what may be spent, what is held, and every decision.
--
-- Amounts are minor units of the currency in bigint. Rows of "authorization", auth_event, rule_set, void_ref, capture_posting,
-- shadow_decision and setting_change are never changed or removed. auth_state, spend_account and limit_counter are what those rows add up
-- to; they are kept in the same transaction, and `npm run reconcile` builds them anew and compares.

CREATE TABLE currency (
  code     text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'),
  -- ISO 4217: digits of the minor unit; JPY 0, USD 2, KWD 3, CLF 4.
  exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 4)
);

-- Open-to-buy. Each decision locks this row first, so two of them can never both take the last unit.
CREATE TABLE spend_account (
  id                uuid PRIMARY KEY,
  currency          text NOT NULL REFERENCES currency (code),
  ledger_account_id uuid UNIQUE,
  ledger_side       text NOT NULL,
  -- The ledger's last word, positive when it is money of the cardholder, and the version of the ledger account it was true at.
  balance           bigint NOT NULL DEFAULT 0,
  ledger_version    bigint NOT NULL DEFAULT 0,
  held              bigint NOT NULL DEFAULT 0,
  -- Captured here and not yet seen in `balance`: without it the amount could be spent again until the ledger has posted it.
  unposted          bigint NOT NULL DEFAULT 0,
  credit_limit      bigint NOT NULL DEFAULT 0,
  -- Facts (a force post, an advice, a booking of the ledger, a lower credit limit) may overdraw; an approval never may.
  overdrawn         boolean NOT NULL DEFAULT false,
  version           integer NOT NULL DEFAULT 1,
  metadata          json NOT NULL DEFAULT '{}',
  created_at        timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
  CONSTRAINT spend_account_range CHECK (
    held >= 0 AND unposted >= 0 AND credit_limit BETWEEN 0 AND 999999999999999999
    AND balance BETWEEN -4000000000000000000 AND 4000000000000000000 AND ledger_side IN ('credit', 'debit')),
  CONSTRAINT spend_account_open_to_buy CHECK (overdrawn OR balance + credit_limit - held - unposted >= 0)
) WITH (fillfactor = 50);

-- Versions of rules. The one that decides is the highest active one whose time has come; the candidate is the highest shadow version
-- above it.
CREATE TABLE rule_set (
  id          text COLLATE "C" NOT NULL,
  version     integer NOT NULL CHECK (version >= 1),
  mode        text NOT NULL CHECK (mode IN ('active', 'shadow')),
  active_from timestamptz,
  body        json NOT NULL,
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
  PRIMARY KEY (id, version),
  CHECK ((mode = 'active') = (active_from IS NOT NULL))
);

-- Never a card number: the token stands for it, and looks like none.
CREATE TABLE card (
  id               uuid PRIMARY KEY,
  token            text COLLATE "C" NOT NULL UNIQUE CHECK (token ~ '^[A-Za-z0-9_-]{8,64}$' AND token !~ '^[0-9]+$'),
  spend_account_id uuid NOT NULL REFERENCES spend_account (id),
  status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'frozen', 'closed')),
  expires_on       date NOT NULL,
  rule_set_id      text COLLATE "C" NOT NULL,
  limits           json NOT NULL DEFAULT '{}',
  version          integer NOT NULL DEFAULT 1,
  metadata         json NOT NULL DEFAULT '{}',
  created_at       timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
CREATE INDEX card_spend_account ON card (spend_account_id);

-- Who changed which setting, and why.
CREATE TABLE setting_change (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject    text NOT NULL CHECK (subject IN ('spend_account', 'card')),
  subject_id uuid NOT NULL,
  change     json NOT NULL,
  actor      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
CREATE INDEX setting_change_subject ON setting_change (subject_id, id);

-- What was approved per card in a day, a week (from Monday), a calendar month and a clock hour, all UTC by the clock of the database.
-- `bucket` is its beginning. numeric, because a card whose money comes back may spend more than bigint holds over time.
CREATE TABLE limit_counter (
  card_id  uuid NOT NULL,
  "window" text COLLATE "C" NOT NULL,
  bucket   timestamptz NOT NULL,
  amount   numeric(30) NOT NULL,
  count    integer NOT NULL,
  PRIMARY KEY (card_id, "window", bucket),
  CHECK (amount >= 0 AND count >= 0)
) WITH (fillfactor = 70);
CREATE INDEX limit_counter_bucket ON limit_counter (bucket);

-- One row per message of the network, for ever. Without foreign keys, as all that the functions write while they hold the account's lock:
-- the check of a key would lock the referenced row once more.
CREATE TABLE "authorization" (
  id               uuid PRIMARY KEY,
  network_ref      text COLLATE "C" NOT NULL UNIQUE,
  fingerprint      bytea NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('request', 'advice')),
  card_token       text NOT NULL,
  -- NULL when there is no such card.
  card_id          uuid,
  spend_account_id uuid,
  amount           bigint NOT NULL CHECK (amount > 0),
  currency         text NOT NULL,
  merchant         json NOT NULL,
  channel          text,
  decision         text NOT NULL CHECK (decision IN ('APPROVED', 'DECLINED')),
  reason_code      text NOT NULL,
  detail           text NOT NULL,
  rule             text,
  trace            json NOT NULL,
  rule_set_id      text,
  rule_version     integer,
  risk_score       smallint CHECK (risk_score BETWEEN 0 AND 100),
  risk_source      text CHECK (risk_source IN ('partner', 'fallback')),
  -- Tolerance of the merchant category at that time: percent more, or up to this sum, may be captured.
  over_percent     integer NOT NULL DEFAULT 0 CHECK (over_percent BETWEEN 0 AND 1000),
  over_up_to       bigint NOT NULL DEFAULT 0 CHECK (over_up_to >= 0),
  overdrawn        boolean NOT NULL DEFAULT false,
  metadata         json NOT NULL,
  client_id        text NOT NULL,
  created_at       timestamptz NOT NULL,
  expires_at       timestamptz,
  CHECK ((decision = 'APPROVED') = (reason_code = '00')),
  CHECK ((decision = 'APPROVED') = (expires_at IS NOT NULL)),
  CHECK (decision = 'DECLINED' OR spend_account_id IS NOT NULL)
);
CREATE INDEX authorization_card ON "authorization" (card_id, id);
CREATE INDEX authorization_spend_account ON "authorization" (spend_account_id, id);

-- Everything that happened to an authorization, with the state it led to: an answer can be given again from its row alone.
CREATE TABLE auth_event (
  auth_id     uuid NOT NULL,
  seq         integer NOT NULL CHECK (seq >= 1),
  -- Of a capture it is the external reference under which the ledger posts it. The first event has the id of its authorization.
  id          uuid NOT NULL UNIQUE,
  kind        text NOT NULL CHECK (kind IN ('AUTHORIZED', 'ADVICE', 'DECLINED', 'INCREMENTED', 'INCREMENT_DECLINED', 'CAPTURED',
                                            'FORCE_POSTED', 'REVERSED', 'EXPIRED')),
  amount      bigint NOT NULL CHECK (amount > 0),
  reason_code text NOT NULL DEFAULT '00',
  detail      text NOT NULL DEFAULT 'approved',
  rule        text,
  trace       json NOT NULL DEFAULT '[]',
  final       boolean NOT NULL DEFAULT false,
  overdrawn   boolean NOT NULL DEFAULT false,
  reference   text,
  client_id   text NOT NULL,
  -- Kept after the row in `idempotency` is purged: the message is carried out once, however late it is sent again.
  key         text COLLATE "C",
  fingerprint bytea,
  created_at  timestamptz NOT NULL,
  status      text NOT NULL,
  authorized  bigint NOT NULL CHECK (authorized >= 0),
  captured    bigint NOT NULL CHECK (captured >= 0),
  reversed    bigint NOT NULL CHECK (reversed >= 0),
  released    bigint NOT NULL CHECK (released >= 0),
  held        bigint NOT NULL CHECK (held >= 0),
  PRIMARY KEY (auth_id, seq)
);

-- The latest state of each, for the expiry job and for whoever changes it next.
CREATE TABLE auth_state (
  auth_id          uuid PRIMARY KEY,
  spend_account_id uuid,
  authorized       bigint NOT NULL,
  captured         bigint NOT NULL,
  reversed         bigint NOT NULL,
  released         bigint NOT NULL,
  held             bigint NOT NULL CHECK (held = greatest(0, authorized - reversed - captured - released)),
  expired          boolean NOT NULL DEFAULT false,
  status           text NOT NULL,
  version          integer NOT NULL,
  expires_at       timestamptz
) WITH (fillfactor = 70);
CREATE INDEX auth_state_due ON auth_state (expires_at) WHERE held > 0;
CREATE INDEX auth_state_held ON auth_state (spend_account_id) WHERE held > 0;

-- A reversal that came before its authorization.
CREATE TABLE void_ref (
  network_ref text COLLATE "C" PRIMARY KEY,
  fingerprint bytea NOT NULL,
  client_id   text NOT NULL,
  reference   text,
  created_at  timestamptz NOT NULL
);

-- A capture that the ledger has posted.
CREATE TABLE capture_posting (
  event_id         uuid PRIMARY KEY,
  spend_account_id uuid NOT NULL,
  -- What we captured, and what the ledger moved on the cardholder's account for it.
  amount           bigint NOT NULL,
  posted_amount    bigint NOT NULL,
  ledger_txn       text NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);

-- What a candidate rule set would have decided.
CREATE TABLE shadow_decision (
  auth_id      uuid PRIMARY KEY,
  rule_set_id  text COLLATE "C" NOT NULL,
  rule_version integer NOT NULL,
  decision     text NOT NULL,
  reason_code  text NOT NULL,
  rule         text,
  trace        json NOT NULL,
  created_at   timestamptz NOT NULL
);
CREATE INDEX shadow_decision_version ON shadow_decision (rule_set_id, rule_version, auth_id);

-- contracts/authorization-states.yaml as rows; a test compares.
CREATE TABLE state_transition (
  status  text NOT NULL,
  message text NOT NULL,
  event   text,
  refusal text,
  PRIMARY KEY (status, message),
  CHECK ((event IS NULL) <> (refusal IS NULL))
);

-- What was answered to an Idempotency-Key. A row is written only together with its decision.
CREATE TABLE idempotency (
  client_id   text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  -- As over HTTP: 201, or the status of the refusal.
  status      smallint NOT NULL,
  -- Set when the answer can be read again from immutable rows. Only such rows and refusals are purged.
  auth_id     uuid,
  event_seq   integer,
  -- The answer otherwise: a refusal, an account, a card.
  response    json,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (client_id, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at) WHERE auth_id IS NOT NULL OR status <> 201;

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

CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden: it is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['authorization', 'auth_event', 'rule_set', 'void_ref', 'capture_posting', 'shadow_decision',
                              'setting_change', 'state_transition'] LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
                      FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['spend_account', 'card', 'auth_state'] LOOP
    EXECUTE format('CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON %I
                      FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()', name);
  END LOOP;
END $$;

INSERT INTO state_transition (status, message, event, refusal) VALUES
  ('AUTHORIZED', 'increment', 'INCREMENTED', NULL),
  ('AUTHORIZED', 'capture', 'CAPTURED', NULL),
  ('AUTHORIZED', 'reverse', 'REVERSED', NULL),
  ('AUTHORIZED', 'expire', 'EXPIRED', NULL),
  ('PARTIALLY_CAPTURED', 'increment', 'INCREMENTED', NULL),
  ('PARTIALLY_CAPTURED', 'capture', 'CAPTURED', NULL),
  ('PARTIALLY_CAPTURED', 'reverse', 'REVERSED', NULL),
  ('PARTIALLY_CAPTURED', 'expire', 'EXPIRED', NULL),
  ('PARTIALLY_REVERSED', 'increment', 'INCREMENTED', NULL),
  ('PARTIALLY_REVERSED', 'capture', 'CAPTURED', NULL),
  ('PARTIALLY_REVERSED', 'reverse', 'REVERSED', NULL),
  ('PARTIALLY_REVERSED', 'expire', 'EXPIRED', NULL),
  ('CAPTURED', 'increment', NULL, 'authorization-not-open'),
  ('CAPTURED', 'capture', 'FORCE_POSTED', NULL),
  ('CAPTURED', 'reverse', NULL, 'already-reversed'),
  ('CAPTURED', 'expire', NULL, 'authorization-not-open'),
  ('REVERSED', 'increment', NULL, 'authorization-not-open'),
  ('REVERSED', 'capture', NULL, 'authorization-not-open'),
  ('REVERSED', 'reverse', NULL, 'already-reversed'),
  ('REVERSED', 'expire', NULL, 'authorization-not-open'),
  ('EXPIRED', 'increment', NULL, 'authorization-not-open'),
  ('EXPIRED', 'capture', 'FORCE_POSTED', NULL),
  ('EXPIRED', 'reverse', NULL, 'already-reversed'),
  ('EXPIRED', 'expire', NULL, 'authorization-not-open'),
  ('DECLINED', 'increment', NULL, 'authorization-not-open'),
  ('DECLINED', 'capture', NULL, 'authorization-not-open'),
  ('DECLINED', 'reverse', NULL, 'authorization-not-open'),
  ('DECLINED', 'expire', NULL, 'authorization-not-open');
