-- The tables that the platform works with, and one of the sample service (test/support/sample.ts).
CREATE TABLE thing (id uuid PRIMARY KEY, name text NOT NULL);

CREATE TABLE idempotency (
  client_id text NOT NULL, key text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (client_id, key)
);
CREATE FUNCTION idempotency_purge(p_hours integer, p_limit integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  WITH gone AS (
    DELETE FROM idempotency WHERE (client_id, key) IN (
      SELECT client_id, key FROM idempotency WHERE created_at < now() - make_interval(hours => p_hours) LIMIT p_limit) RETURNING 1)
  SELECT count(*)::int FROM gone
$$;

CREATE TABLE outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic        text NOT NULL,
  aggregate_id text NOT NULL,
  type         text NOT NULL,
  payload      json NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);

CREATE TABLE inbox (
  source text NOT NULL, event_id text NOT NULL, type text NOT NULL, received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, event_id)
);
