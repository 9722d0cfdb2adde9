import type { Statement } from '../platform/db/database.ts';

export const SETTLE: Statement = {
  name: 'ledger_settle',
  text: 'SELECT state, body FROM ledger_settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)',
};

export const OPEN_ACCOUNT: Statement = {
  name: 'ledger_open_account',
  text: 'SELECT state, body FROM ledger_open_account($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
};

export const SET_STATUS: Statement = {
  name: 'ledger_set_account_status',
  text: 'SELECT state, body FROM ledger_set_account_status($1, $2, $3, $4, $5, $6, $7)',
};

export const KEY_IS_KNOWN: Statement = {
  name: 'key_is_known',
  text: 'SELECT 1 AS found FROM idempotency WHERE client_id = $1 AND key = $2',
};

export const ACCOUNT: Statement = {
  name: 'account',
  text: 'SELECT body FROM account_document WHERE id = $1',
};

/** Now. `tag` changes with every figure, pending ones included. */
export const BALANCE: Statement = {
  name: 'account_balance',
  text: `SELECT (balance_json(b)::jsonb - 'normalSide' || jsonb_build_object('exponent', c.exponent, 'at', NULL))::json AS body,
           b.version || '-' || b.pending_version AS tag
    FROM account_balance b JOIN currency c ON c.code = b.currency
   WHERE b.account_id = $1`,
};

/** At a moment of business time. No row: no such account. */
export const BALANCE_AT: Statement = {
  name: 'account_balance_at',
  text: `SELECT x.known, json_build_object(
           'accountId', b.account_id, 'currency', b.currency, 'exponent', c.exponent,
           'posted', (CASE b.normal_side WHEN 'debit' THEN x.debits - x.credits ELSE x.credits - x.debits END)::text,
           'pending', NULL, 'available', NULL, 'debitsPosted', x.debits::text, 'creditsPosted', x.credits::text,
           'version', x.entries, 'at', iso_utc($2::timestamptz)) AS body,
           x.entries || '-' || x.debits || '-' || x.credits AS tag
    FROM account_balance b
    JOIN currency c ON c.code = b.currency
   CROSS JOIN LATERAL balance_at(b.account_no, $2::timestamptz) x
   WHERE b.account_id = $1`,
};

/** Newest first, below a version: keyset paging over the index (account_no, account_version). */
export const ENTRIES: Statement = {
  name: 'account_entries',
  text: `SELECT json_build_object(
           'transactionId', e.txn_id, 'line', e.line,
           'direction', CASE WHEN e.amount > 0 THEN 'debit' ELSE 'credit' END,
           'amount', json_build_object('value', abs(e.amount)::text, 'currency', e.currency),
           'balanceAfter', (CASE b.normal_side WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END)::text,
           'accountVersion', e.account_version,
           'effectiveAt', iso_utc(t.effective_at), 'createdAt', iso_utc(t.created_at)) AS body
    FROM account_balance b
    JOIN entry e ON e.account_no = b.account_no
    JOIN txn t ON t.id = e.txn_id
   WHERE b.account_id = $1 AND e.account_version < $2
   ORDER BY e.account_version DESC
   LIMIT $3`,
};

export const TRANSACTION: Statement = {
  name: 'transaction',
  text: `SELECT d.body, d.kind,
           coalesce((SELECT json_agg(l.txn_id ORDER BY l.txn_id) FROM txn_link l
                      WHERE l.kind = 'reverses' AND l.target = d.id), '[]') AS reversals,
           CASE WHEN d.kind IN ('posting', 'fx', 'post') THEN (
             SELECT json_agg(json_build_object('line', r.line, 'amount', r.remaining::text) ORDER BY r.line)
               FROM entry_remaining r WHERE r.txn_id = d.id) ELSE '[]' END AS remaining,
           CASE WHEN d.kind = 'pending' THEN coalesce(
             (SELECT json_build_object(
                'state', CASE r.kind WHEN 'post' THEN 'posted' WHEN 'void' THEN 'voided' ELSE 'expired' END, 'transaction', r.txn_id)
                FROM txn_resolution r WHERE r.target = d.id),
             json_build_object('state', CASE WHEN d.expires_at <= clock_timestamp() THEN 'expired' ELSE 'pending' END,
                               'transaction', NULL)) END AS resolution
    FROM transaction_document d WHERE d.id = $1`,
};

export const TRANSACTIONS: Statement = {
  name: 'transactions',
  text: 'SELECT body FROM transaction_document WHERE id < $1 ORDER BY id DESC LIMIT $2',
};

export const TRANSACTIONS_BY_REF: Statement = {
  name: 'transactions_by_ref',
  text: 'SELECT body FROM transaction_document WHERE external_ref = $3 AND id < $1 ORDER BY id DESC LIMIT $2',
};

/** One statement, so it sees all accounts at the same moment. */
export const TRIAL_BALANCE: Statement = {
  name: 'trial_balance',
  text: `SELECT b.currency, count(*)::int AS accounts,
           sum(b.debits_posted)::text AS debits, sum(b.credits_posted)::text AS credits,
           (sum(b.debits_posted) - sum(b.credits_posted))::text AS difference
    FROM account_balance b
   GROUP BY b.currency ORDER BY b.currency`,
};
