/** The head of the API document. */
export const OPENAPI = {
  title: 'Authorization service',
  version: '1.0.0',
  description: [
    'Decides card authorizations: holds, limits, rules, captures and reversals. It keeps what may be spent, not the books.',
    'Money is minor units as decimal text beside its currency. Every POST needs an `Idempotency-Key`: the same request with the same key is carried out once and answered alike. Every PUT needs `If-Match`. Errors are problem details (RFC 9457).',
    'A decline is a result: 201 with `decision: DECLINED` and a reason code after ISO 8583 field 39. 00 approved; 05 do not honour (risk); 14 no such card, or closed; 51 not enough funds; 54 card expired; 57 not permitted (category, currency); 61 amount limit; 62 restricted card (frozen, country); 65 count limit; 91 no decision within X-Deadline-Ms, or the risk partner is away and the rule set declines then; 96 the authorization was reversed before it came, or its rule set cannot be applied.',
    'Checks are made in this order and the first that fails decides: void by an earlier reversal (96), deadline (91), card known (14), closed (14), frozen (62), expired (54), currency (57), category (57), country (62), limit per transaction (61), hourly count (65), day, week and month (61), risk (05, 91), funds (51). At equal name the limits of the rule set come before those of the card.',
    'Facts of the ledger come by POST /v1/events or from the broker: transaction.posted.v1, transaction.reversed.v1 and balance.changed.v1 set the balance of the spend account that names the ledger account, the newest version of it wins. A transaction whose metadata.eventId is the id of a capture posts that capture: it is no longer `unposted`.',
    'State is derived from appended events: held = max(0, authorized - reversed - captured - released). The transition table is contracts/authorization-states.yaml.',
  ].join('\n\n'),
  tags: [
    { name: 'authorizations', description: 'Authorize, increment, capture, reverse' },
    { name: 'cards', description: 'Cards by token, their status and limits' },
    { name: 'spend accounts', description: 'Open-to-buy' },
    { name: 'rule sets', description: 'Versions, candidates in shadow' },
    { name: 'events', description: 'Facts from the ledger' },
  ],
};
