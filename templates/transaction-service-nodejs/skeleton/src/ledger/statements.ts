import type { Statement } from '../platform/db/database.ts';

export const POST: Statement = {
  name: 'ledger_post',
  text: 'SELECT outcome, replayed, body FROM ledger_post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
};

export const REVERSE: Statement = {
  name: 'ledger_reverse',
  text: 'SELECT outcome, replayed, body FROM ledger_reverse($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
};

export const OPEN_ACCOUNT: Statement = {
  name: 'ledger_open_account',
  text: 'SELECT outcome, replayed, body FROM ledger_open_account($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
};

export const SET_STATUS: Statement = {
  name: 'ledger_set_account_status',
  text: 'SELECT outcome, replayed, body FROM ledger_set_account_status($1, $2, $3, $4, $5, $6)',
};

export const ACCOUNT: Statement = {
  name: 'account',
  text: 'SELECT body FROM account_document WHERE id = $1',
};

export const BALANCE: Statement = {
  name: 'account_balance',
  text: `SELECT json_build_object(
           'accountId', a.id, 'currency', a.currency, 'exponent', c.exponent,
           'posted', (CASE b.normal_side WHEN 'debit' THEN 1 ELSE -1 END * (b.debits_posted - b.credits_posted))::text,
           'pending', (CASE b.normal_side WHEN 'debit' THEN b.credits_pending ELSE b.debits_pending END)::text,
           'available', b.available::text,
           'debitsPosted', b.debits_posted::text, 'creditsPosted', b.credits_posted::text,
           'version', b.version) AS body
    FROM account a
    JOIN account_balance b ON b.account_no = a.no
    JOIN currency c ON c.code = a.currency
   WHERE a.id = $1`,
};

/** Newest first, below a version: keyset paging over the unique index (account_no, account_version). */
export const ENTRIES: Statement = {
  name: 'account_entries',
  text: `SELECT json_build_object(
           'transactionId', e.txn_id, 'line', e.line,
           'direction', CASE WHEN e.amount > 0 THEN 'debit' ELSE 'credit' END,
           'amount', json_build_object('value', abs(e.amount)::text, 'currency', e.currency),
           'balanceAfter', (CASE a.normal_side WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END)::text,
           'accountVersion', e.account_version,
           'effectiveAt', iso_utc(t.effective_at), 'createdAt', iso_utc(t.created_at)) AS body
    FROM account a
    JOIN entry e ON e.account_no = a.no
    JOIN txn t ON t.id = e.txn_id
   WHERE a.id = $1 AND e.account_version < $2
   ORDER BY e.account_version DESC
   LIMIT $3`,
};

export const TRANSACTION: Statement = {
  name: 'transaction',
  text: `SELECT d.body,
           coalesce((SELECT json_agg(l.txn_id ORDER BY l.txn_id) FROM txn_link l
                      WHERE l.kind = 'reverses' AND l.target = d.id), '[]') AS reversals,
           (SELECT json_agg(json_build_object('line', r.line, 'amount', r.remaining::text) ORDER BY r.line)
              FROM entry_remaining r WHERE r.txn_id = d.id) AS remaining
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

export const TRIAL_BALANCE: Statement = {
  name: 'trial_balance',
  text: `SELECT a.currency, count(*)::int AS accounts,
           sum(b.debits_posted)::text AS debits, sum(b.credits_posted)::text AS credits,
           (sum(b.debits_posted) - sum(b.credits_posted))::text AS difference
    FROM account_balance b JOIN account a ON a.no = b.account_no
   GROUP BY a.currency ORDER BY a.currency`,
};
