/** The errors of this service: made from contracts/problems.yaml, where they are changed. */
export const PROBLEMS = {
  'validation-failed': { status: 400, title: 'The request is not valid' },
  'malformed-json': { status: 400, title: 'The body is not valid JSON' },
  'idempotency-key-missing': { status: 400, title: 'The Idempotency-Key header is missing' },
  unauthenticated: { status: 401, title: 'The caller is not known' },
  forbidden: { status: 403, title: 'The caller may not do this' },
  'not-found': { status: 404, title: 'There is no such resource' },
  'route-not-found': { status: 404, title: 'There is no such endpoint' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'idempotency-conflict': { status: 409, title: 'A request with this Idempotency-Key is still running' },
  'account-frozen': { status: 409, title: 'The account is frozen' },
  'account-closed': { status: 409, title: 'The account is closed' },
  'account-not-empty': { status: 409, title: 'The account is not empty' },
  'already-reversed': { status: 409, title: 'There is not that much left to reverse' },
  'not-reversible': { status: 409, title: 'This transaction cannot be reversed' },
  'not-pending': { status: 409, title: 'This transaction is not a pending one' },
  'already-resolved': { status: 409, title: 'The pending transaction is settled already' },
  'pending-expired': { status: 409, title: 'The pending transaction has expired' },
  'audit-not-sealed': { status: 409, title: 'The transaction is not sealed yet' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'idempotency-mismatch': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'idempotency-key-expired': { status: 422, title: 'The Idempotency-Key is too old' },
  'account-unknown': { status: 422, title: 'The request names an account that does not exist' },
  'currency-mismatch': { status: 422, title: 'The currency is not that of the account' },
  'insufficient-funds': { status: 422, title: 'The account has not enough available funds' },
  'limit-exceeded': { status: 422, title: 'A balance would become too large' },
  'pending-exceeded': { status: 422, title: 'More than what is pending' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'Something went wrong in the service' },
  overloaded: { status: 503, title: 'The service is busy' },
  'database-unavailable': { status: 503, title: 'The database does not answer' },
} as const;

/** What the page of an error says beyond its title. */
export const PROBLEM_HELP: Record<keyof typeof PROBLEMS, { meaning: string; remedy: string }> = {
  'validation-failed': {
    meaning:
      'A field of the body, the query, the path or a header has a wrong form, or the fields do not fit together. `errors` names each field by its pointer.',
    remedy: 'Correct the named fields. The same Idempotency-Key may be used, because nothing was decided.',
  },
  'malformed-json': {
    meaning: 'The body is empty or cannot be read as JSON.',
    remedy: 'Send one JSON object, encoded as UTF-8.',
  },
  'idempotency-key-missing': {
    meaning: 'Every POST that decides something needs the header, so that a retry cannot move money twice.',
    remedy: 'Send a new UUID with each new request, and the same one when you retry it.',
  },
  unauthenticated: {
    meaning: 'The bearer token is missing, expired, of another issuer or audience, or its signature is wrong.',
    remedy: 'Get a new token, then send the same request with the same key.',
  },
  forbidden: {
    meaning: 'The token is valid, but lacks the scope that the operation needs.',
    remedy: 'Have the scope granted to the client.',
  },
  'not-found': { meaning: 'The resource in the address does not exist.', remedy: 'Check the id.' },
  'route-not-found': {
    meaning: 'The method and the address are not part of the API.',
    remedy: 'See /docs of the service.',
  },
  'request-timeout': {
    meaning: 'Header or body were sent too slowly. Nothing was decided.',
    remedy: 'Send the same request again with the same key.',
  },
  'idempotency-conflict': {
    meaning: 'The first request is not decided yet.',
    remedy: 'Wait for the seconds in Retry-After, then send the same request again.',
  },
  'account-frozen': {
    meaning: 'Nothing can be posted to or from it.',
    remedy: 'Have the account reopened, then send the request with a new key.',
  },
  'account-closed': { meaning: 'A closed account stays closed.', remedy: 'Use another account.' },
  'account-not-empty': {
    meaning: 'Only an account with a balance of zero and without pending transactions can be closed.',
    remedy: 'Move the rest to another account first.',
  },
  'already-reversed': {
    meaning: 'All reversals together would take back more than was posted, or more than an authorization still holds.',
    remedy:
      'Read the transaction, `reversal.remaining` says how much is left of each line; or read the authorization, `held` says it.',
  },
  'not-reversible': {
    meaning: 'It is a reversal itself, or it moved nothing because it is pending or a void.',
    remedy: 'Post a new transaction, or void what is pending.',
  },
  'not-pending': {
    meaning: 'Only a transaction that was made as pending can be posted or voided.',
    remedy: 'Check the id. Reverse what was posted at once.',
  },
  'already-resolved': {
    meaning: 'It was posted or voided before; that happens once.',
    remedy: 'Read the transaction; `resolution` names the one that settled it.',
  },
  'pending-expired': { meaning: 'Its time is over and the money is released.', remedy: 'Post a new transaction.' },
  'audit-not-sealed': {
    meaning: 'It is part of the ledger; the audit chain takes it up within seconds.',
    remedy: 'Ask again after the seconds in Retry-After.',
  },
  'payload-too-large': {
    meaning: 'The limit is 64 KiB, for batches 1 MiB, unless the service was configured otherwise.',
    remedy: 'Send less in one request.',
  },
  'unsupported-media-type': {
    meaning: 'Another Content-Type was sent.',
    remedy: 'Send `Content-Type` with the value `application/json`.',
  },
  'idempotency-mismatch': {
    meaning: 'The key belongs to a request with another operation or body.',
    remedy: 'Use a new key. If it was meant to be a retry, send exactly the first body.',
  },
  'idempotency-key-expired': {
    meaning:
      'Keys are remembered for 72 hours unless the service was configured otherwise. This one is older, by its own time or because it was used before, and what was answered to it is no longer known. Nothing was done now.',
    remedy: 'Look for what it was to do, by your own reference. If it was not done, send it with a new key.',
  },
  'account-unknown': { meaning: 'The field is named in `errors`.', remedy: 'Check the account ids.' },
  'currency-mismatch': {
    meaning:
      'An account, and what was authorized on it, is kept in one currency. Exchange is four legs over two accounts of your own.',
    remedy: 'Use the currency of the account.',
  },
  'insufficient-funds': {
    meaning: "The available balance would go below the account's `minAvailable`.",
    remedy: 'Fund the account, then send the request with a new key; the refused key keeps its answer.',
  },
  'limit-exceeded': {
    meaning: 'Balances are 64-bit numbers of minor units.',
    remedy: 'Split the business over several accounts.',
  },
  'pending-exceeded': {
    meaning: 'A pending transaction can be posted up to its own amounts.',
    remedy: 'Post up to what is pending, and the rest as a new transaction.',
  },
  'rate-limited': {
    meaning: 'The client sends more than it may. The request was not carried out.',
    remedy: 'Wait for the seconds in Retry-After, then send the same request with the same key.',
  },
  'headers-too-large': {
    meaning: 'All headers together are larger than what the service reads.',
    remedy: 'Send smaller headers.',
  },
  internal: { meaning: 'A defect. It was recorded.', remedy: 'Try again with the same key, and report the traceId.' },
  overloaded: {
    meaning: 'Too many requests wait, or this one waited too long. It was not carried out.',
    remedy: 'Wait for the seconds in Retry-After, then send the same request with the same key.',
  },
  'database-unavailable': {
    meaning:
      'The service is up, its database is not. It recovers by itself. In rare cases the request was carried out before the connection was lost.',
    remedy: 'Send the same request with the same key; it is never carried out twice.',
  },
};
