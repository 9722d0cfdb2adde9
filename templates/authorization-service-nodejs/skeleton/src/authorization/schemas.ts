import { Type, type Static, type TSchema } from 'typebox';
import { Amount, closed, Currency, Id, Metadata, nullable, ref, Text, Timestamp } from '../platform/http/schemas.ts';
import { AMOUNT_PATTERN, SIGNED_AMOUNT_PATTERN } from '../platform/money.ts';
import { RuleSetBody } from './rule-schemas.ts';

/** Shapes of the API. The OpenAPI document and the validation are both made from these. */

const Minor = (description: string) => Type.String({ pattern: SIGNED_AMOUNT_PATTERN, description });
const Limit = (description: string) => Type.Optional(nullable(Type.String({ pattern: AMOUNT_PATTERN, description })));

// ---- spend accounts

const CreditLimit = Type.String({
  pattern: '^(0|[1-9][0-9]{0,17})$',
  description: 'Minor units that may be spent beyond the balance; "0" for none',
});

export const NewSpendAccount = Type.Object(
  {
    currency: Currency,
    creditLimit: Type.Optional(CreditLimit),
    ledgerAccountId: Type.Optional(
      Type.String({
        format: 'uuid',
        description: "The cardholder's account in the ledger. Its events move the balance; one spend account each.",
      }),
    ),
    ledgerSide: Type.Optional(
      Type.Enum(['credit', 'debit'], {
        description:
          'Normal side of that account. credit (default): its balance is money of the cardholder. debit: it is what the cardholder owes.',
      }),
    ),
    metadata: Type.Optional(Metadata),
  },
  closed,
);

export const SpendAccount = Type.Object(
  {
    id: Id,
    currency: Currency,
    exponent: Type.Integer({ description: 'Digits of the minor unit: USD 2, JPY 0, KWD 3' }),
    ledgerAccountId: nullable(Id),
    ledgerSide: Type.Enum(['credit', 'debit']),
    balance: Minor("The ledger's last word on the account; negative when the cardholder owes"),
    held: Minor('Sum of what open authorizations hold'),
    unposted: Minor('Captured here, not yet seen as posted by the ledger'),
    creditLimit: CreditLimit,
    openToBuy: Minor('balance + creditLimit - held - unposted: what a new authorization may take'),
    overdrawn: Type.Boolean({ description: 'openToBuy is negative, because something had to be posted or was booked' }),
    version: Type.Integer({
      description: 'Grows with each change of the settings, not of the amounts; the ETag is made of it',
    }),
    metadata: Type.Record(Type.String(), Type.String()),
    createdAt: Timestamp,
  },
  { $id: 'SpendAccount' },
);

export const NewCreditLimit = Type.Object({ creditLimit: CreditLimit }, closed);

// ---- cards

export const CardToken = Type.String({
  pattern: '^(?![0-9]+$)[A-Za-z0-9_-]{8,64}$',
  description: 'Token of the card, from your vault. Never a card number: those are refused.',
  examples: ['tok_2f8a61c09be4'],
});

export const CardStatus = Type.Enum(['active', 'frozen', 'closed']);

export const RuleSetId = Type.String({
  pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
  description: 'Lower-case letters, digits and hyphens',
  examples: ['default'],
});

export const CardLimits = Type.Object(
  {
    perTransaction: Limit('Largest single amount, minor units'),
    perDay: Limit('Sum of a day (UTC), minor units'),
    perWeek: Limit('Sum of a week (Monday to Sunday, UTC), minor units'),
    perMonth: Limit('Sum of a calendar month (UTC), minor units'),
    countPerHour: Type.Optional(
      nullable(Type.Integer({ minimum: 0, maximum: 100_000, description: 'Approvals in a clock hour' })),
    ),
  },
  {
    ...closed,
    description:
      "Limits of one card in its account's currency, checked beside those of its rule set: both must allow. Absent or null: none.",
  },
);

export const NewCard = Type.Object(
  {
    token: CardToken,
    spendAccountId: Type.String({ format: 'uuid' }),
    expiresOn: Type.String({ format: 'date', description: 'Last day on which the card is good (UTC)' }),
    ruleSetId: Type.Optional(RuleSetId),
    limits: Type.Optional(CardLimits),
    metadata: Type.Optional(Metadata),
  },
  closed,
);

export const Card = Type.Object(
  {
    id: Id,
    token: Type.String(),
    spendAccountId: Id,
    currency: Currency,
    status: CardStatus,
    expiresOn: Type.String({ format: 'date' }),
    ruleSetId: Type.String(),
    limits: CardLimits,
    version: Type.Integer({ description: 'Grows with each change; the ETag is made of it' }),
    metadata: Type.Record(Type.String(), Type.String()),
    createdAt: Timestamp,
  },
  { $id: 'Card' },
);

export const NewCardStatus = Type.Object({ status: CardStatus, reason: Text(500, 'Kept with the change') }, closed);

// ---- rule sets

export const NewRuleSet = Type.Object(
  {
    mode: Type.Optional(
      Type.Enum(['active', 'shadow'], {
        description:
          'active (default): decides from activeFrom on. shadow: a candidate, evaluated and recorded beside the active version; it never decides.',
      }),
    ),
    activeFrom: Type.Optional(
      Type.String({ format: 'date-time', description: 'Default: now. Not allowed with shadow.' }),
    ),
    body: RuleSetBody,
  },
  closed,
);

export const RuleSet = Type.Object(
  {
    id: Type.String(),
    version: Type.Integer({ description: 'Versions are kept; the ETag is the latest one' }),
    mode: Type.Enum(['active', 'shadow']),
    activeFrom: nullable(Timestamp),
    activeVersion: nullable(Type.Integer({ description: 'The version that decides now' })),
    shadowVersion: nullable(Type.Integer({ description: 'The candidate that is evaluated beside it now' })),
    body: RuleSetBody,
    createdBy: Type.String(),
    createdAt: Timestamp,
  },
  { $id: 'RuleSet' },
);

export const ShadowReport = Type.Object(
  {
    id: Type.String(),
    version: Type.Integer({ description: 'The candidate' }),
    decisions: Type.Integer({ description: 'Recorded beside real decisions' }),
    same: Type.Integer(),
    wouldDecline: Type.Integer({ description: 'Approved for real, declined by the candidate' }),
    wouldApprove: Type.Integer({ description: 'Declined for real, approved by the candidate' }),
    differences: Type.Array(
      Type.Object({
        authorizationId: Id,
        decision: Type.String(),
        reasonCode: Type.String(),
        shadowDecision: Type.String(),
        shadowReasonCode: Type.String(),
        rule: nullable(Type.String()),
        createdAt: Timestamp,
      }),
      { description: 'The latest 50 that differ, newest first' },
    ),
  },
  { $id: 'ShadowReport' },
);

// ---- authorizations

export const NetworkRef = Type.String({
  pattern: '^[A-Za-z0-9._:-]{1,64}$',
  description: "The network's reference of the message: one authorization each, for ever",
  examples: ['visa-20261121-000417'],
});

export const Merchant = Type.Object(
  {
    mcc: Type.String({ pattern: '^[0-9]{4}$', description: 'ISO 18245 merchant category', examples: ['5411'] }),
    country: Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2', examples: ['MX'] }),
    id: Type.Optional(Text(64, 'Card acceptor id')),
    name: Type.Optional(Text(100, 'For people')),
  },
  closed,
);

export const Channel = Type.Enum(['chip', 'contactless', 'magstripe', 'ecommerce', 'moto', 'atm']);

export const NewAuthorization = Type.Object(
  {
    networkRef: NetworkRef,
    kind: Type.Optional(
      Type.Enum(['request', 'advice'], {
        description:
          'request (default): decide. advice: the network has approved in our place; it is recorded and held even beyond limits and funds.',
      }),
    ),
    cardToken: CardToken,
    amount: Amount,
    merchant: Merchant,
    channel: Type.Optional(Channel),
    metadata: Type.Optional(Metadata),
  },
  closed,
);

export const ReasonCode = Type.Enum(['00', '05', '14', '51', '54', '57', '61', '62', '65', '91', '96'], {
  description: 'After ISO 8583 field 39',
});

export const TraceStep = Type.Object({
  rule: Type.String({ description: 'Name of the check', examples: ['limits.perDay'] }),
  outcome: Type.Enum(['pass', 'fail', 'skip']),
  reasonCode: Type.Optional(Type.String({ description: 'What a failure of this check means' })),
  detail: Type.Optional(Type.String()),
  observed: Type.Optional(Type.String({ description: 'What was there before, under the lock' })),
  limit: Type.Optional(Type.String()),
});

export const Status = Type.Enum([
  'AUTHORIZED',
  'PARTIALLY_CAPTURED',
  'CAPTURED',
  'PARTIALLY_REVERSED',
  'REVERSED',
  'EXPIRED',
  'DECLINED',
]);

/** What a decision says, whether about an authorization or an increment. */
const decisionFields = {
  decision: Type.Enum(['APPROVED', 'DECLINED']),
  reasonCode: ReasonCode,
  detail: Type.String({ description: 'Our own name of the reason', examples: ['insufficient-funds'] }),
  rule: nullable(Type.String({ description: 'The check that declined; null when approved' })),
  trace: Type.Array(TraceStep, { description: 'Every check in the order it was made' }),
};

const stateFields = {
  status: Status,
  authorized: Minor('Approved in all, increments included'),
  captured: Minor('Captured in all'),
  reversed: Minor('Reversed in all'),
  released: Minor('Let go by a final capture or by expiry'),
  held: Minor('max(0, authorized - reversed - captured - released)'),
  version: Type.Integer({ description: 'Number of events' }),
};

export const Authorization = Type.Object(
  {
    id: Id,
    networkRef: Type.String(),
    kind: Type.Enum(['request', 'advice']),
    cardId: nullable(Id),
    spendAccountId: nullable(Id),
    amount: Amount,
    merchant: Merchant,
    channel: nullable(Channel),
    ...decisionFields,
    ruleSet: nullable(Type.Object({ id: Type.String(), version: Type.Integer() })),
    risk: nullable(
      Type.Object({
        score: nullable(Type.Integer({ minimum: 0, maximum: 100 })),
        source: Type.Enum(['partner', 'fallback'], { description: 'fallback: the partner did not answer in time' }),
      }),
    ),
    ...stateFields,
    overdrawn: Type.Boolean({ description: 'It was held although the funds did not suffice (advice)' }),
    metadata: Type.Record(Type.String(), Type.String()),
    createdAt: Timestamp,
    expiresAt: nullable(Timestamp),
  },
  { $id: 'Authorization' },
);

export const AuthorizationPage = Type.Object(
  { items: Type.Array(Authorization), nextCursor: nullable(Type.String()) },
  { $id: 'AuthorizationPage' },
);

export const EventKind = Type.Enum([
  'AUTHORIZED',
  'DECLINED',
  'ADVICE',
  'INCREMENTED',
  'INCREMENT_DECLINED',
  'CAPTURED',
  'FORCE_POSTED',
  'REVERSED',
  'EXPIRED',
]);

/** An appended entry of an authorization and the state it led to; it never changes. */
export const AuthorizationEvent = Type.Object(
  {
    id: Type.String({
      format: 'uuid',
      description: 'Of a capture it is what the posting of the ledger names in metadata.eventId',
    }),
    authorizationId: Id,
    networkRef: Type.String(),
    seq: Type.Integer({ description: 'From 1, without gaps' }),
    kind: EventKind,
    amount: Amount,
    ...decisionFields,
    final: Type.Boolean({ description: 'A capture after which nothing more is held' }),
    overdrawn: Type.Boolean({ description: 'The account is overdrawn after it' }),
    reference: nullable(Type.String()),
    createdAt: Timestamp,
    authorization: Type.Object(stateFields, { description: 'State after the event' }),
  },
  { $id: 'AuthorizationEvent' },
);

export const AuthorizationEvents = Type.Object(
  { items: Type.Array(AuthorizationEvent) },
  { $id: 'AuthorizationEvents' },
);

const Reference = Type.Optional(Text(128, 'Your own reference; not unique.'));

export const NewIncrement = Type.Object({ amount: Amount, reference: Reference }, closed);

export const NewCapture = Type.Object(
  {
    amount: Amount,
    final: Type.Optional(Type.Boolean({ description: 'The last one: the rest is released. Default: false' })),
    reference: Reference,
  },
  closed,
);

export const NewReversal = Type.Object(
  { amount: Type.Optional(Amount), reference: Reference },
  { ...closed, description: 'Without amount: everything that is still held.' },
);

export const NewNetworkReversal = Type.Object(
  { networkRef: NetworkRef, amount: Type.Optional(Amount), reference: Reference },
  {
    ...closed,
    description: 'Without amount: everything that is still held, or a note that the authorization is void.',
  },
);

export const NetworkReversal = Type.Object(
  {
    networkRef: Type.String(),
    outcome: Type.Enum(['reversed', 'recorded'], {
      description: 'recorded: there was no such authorization; when it comes, it is declined with 96',
    }),
    event: nullable(ref(AuthorizationEvent)),
    createdAt: Timestamp,
  },
  { $id: 'NetworkReversal' },
);

export const NewExpiry = Type.Object({ reference: Reference }, closed);

/** What answers refer to by name; the OpenAPI document has each once. */
export const SHARED: TSchema[] = [
  SpendAccount,
  Card,
  RuleSet,
  ShadowReport,
  Authorization,
  AuthorizationPage,
  AuthorizationEvent,
  AuthorizationEvents,
  NetworkReversal,
];

export type NewSpendAccount = Static<typeof NewSpendAccount>;
export type SpendAccount = Static<typeof SpendAccount>;
export type NewCard = Static<typeof NewCard>;
export type Card = Static<typeof Card>;
export type CardLimits = Static<typeof CardLimits>;
export type NewCardStatus = Static<typeof NewCardStatus>;
export type NewRuleSet = Static<typeof NewRuleSet>;
export type RuleSet = Static<typeof RuleSet>;
export type ShadowReport = Static<typeof ShadowReport>;
export type NewAuthorization = Static<typeof NewAuthorization>;
export type Authorization = Static<typeof Authorization>;
export type AuthorizationEvent = Static<typeof AuthorizationEvent>;
export type TraceStep = Static<typeof TraceStep>;
export type ReasonCode = Static<typeof ReasonCode>;
export type NewIncrement = Static<typeof NewIncrement>;
export type NewCapture = Static<typeof NewCapture>;
export type NewExpiry = Static<typeof NewExpiry>;
export type NewReversal = Static<typeof NewReversal>;
export type NewNetworkReversal = Static<typeof NewNetworkReversal>;
export type NetworkReversal = Static<typeof NetworkReversal>;
