import { Type, type Static, type TSchema } from 'typebox';
import { closed, Currency, Id, Metadata, nullable, Text, Timestamp } from '../platform/http/schemas.ts';
import { AMOUNT_PATTERN, SIGNED_AMOUNT_PATTERN } from '../platform/money.ts';
import { RuleSetBody } from './rule-schemas.ts';

/** Shapes of what decisions are made about: spend accounts, cards and rule sets. */

const Minor = (description: string) => Type.String({ pattern: SIGNED_AMOUNT_PATTERN, description });
const Limit = (description: string) => Type.Optional(nullable(Type.String({ pattern: AMOUNT_PATTERN, description })));

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

/** What answers refer to by name. */
export const SETTINGS: TSchema[] = [SpendAccount, Card, RuleSet, ShadowReport];

export type NewSpendAccount = Static<typeof NewSpendAccount>;
export type SpendAccount = Static<typeof SpendAccount>;
export type NewCard = Static<typeof NewCard>;
export type Card = Static<typeof Card>;
export type CardLimits = Static<typeof CardLimits>;
export type NewCardStatus = Static<typeof NewCardStatus>;
export type NewRuleSet = Static<typeof NewRuleSet>;
export type RuleSet = Static<typeof RuleSet>;
export type ShadowReport = Static<typeof ShadowReport>;
