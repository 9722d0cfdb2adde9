import { Type, type Static, type TSchema } from 'typebox';
import {
  Amount,
  closed,
  Currency,
  Id,
  Metadata,
  nullable,
  SignedMinor,
  Text,
  Timestamp,
} from '../platform/http/schemas.ts';

/** Shapes of the API. The OpenAPI document and the validation are both made from these. */

export const AccountKind = Type.Enum(['asset', 'liability', 'equity', 'income', 'expense']);
export const Side = Type.Enum(['debit', 'credit']);
export const AccountStatus = Type.Enum(['open', 'frozen', 'closed']);

export const ExternalRef = Text(128, 'Your own reference; not unique.');

export const NewAccount = Type.Object(
  {
    name: Text(200, 'For people'),
    kind: AccountKind,
    currency: Currency,
    normalSide: Type.Optional(Side),
    minAvailable: Type.Optional(
      nullable(
        Type.String({
          pattern: '^(0|-[1-9][0-9]{0,17})$',
          description:
            'The available balance may not go below this: "0", or an overdraft such as "-5000". null: no limit.',
        }),
      ),
    ),
    metadata: Type.Optional(Metadata),
  },
  closed,
);

export const Account = Type.Object(
  {
    id: Id,
    name: Type.String(),
    kind: AccountKind,
    currency: Currency,
    exponent: Type.Integer({ description: 'Digits of the minor unit: USD 2, JPY 0, KWD 3' }),
    normalSide: Side,
    status: AccountStatus,
    minAvailable: nullable(SignedMinor),
    metadata: Type.Record(Type.String(), Type.String()),
    createdAt: Timestamp,
  },
  { $id: 'Account' },
);

export const NewStatus = Type.Object({ status: AccountStatus, reason: Text(500, 'Kept with the change') }, closed);

export const Balance = Type.Object(
  {
    accountId: Id,
    currency: Currency,
    exponent: Type.Integer(),
    posted: Type.String({ description: 'Posted balance, positive on the normal side of the account' }),
    pending: Type.String({ description: 'Held by pending transactions' }),
    available: Type.String({ description: 'What may still be taken out, before minAvailable' }),
    debitsPosted: Type.String(),
    creditsPosted: Type.String(),
    version: Type.Integer({ description: 'Number of entries of the account; the ETag is made of it' }),
  },
  { $id: 'Balance' },
);

export const Entry = Type.Object({
  transactionId: Id,
  line: Type.Integer(),
  direction: Side,
  amount: Amount,
  balanceAfter: Type.String(),
  accountVersion: Type.Integer(),
  effectiveAt: Timestamp,
  createdAt: Timestamp,
});

export const EntryPage = Type.Object(
  { items: Type.Array(Entry), nextCursor: nullable(Type.String()) },
  { $id: 'EntryPage' },
);

const NewLeg = Type.Object({ accountId: Id, direction: Side, amount: Amount }, closed);

const EffectiveAt = Type.String({ format: 'date-time', description: 'Business time. Default: now.' });

export const NewTransaction = Type.Object(
  {
    legs: Type.Array(NewLeg, {
      minItems: 2,
      maxItems: 100,
      description: 'Debits and credits are equal in each currency.',
    }),
    externalRef: Type.Optional(ExternalRef),
    effectiveAt: Type.Optional(EffectiveAt),
    metadata: Type.Optional(Metadata),
  },
  closed,
);

export const NewReversal = Type.Object(
  {
    amount: Type.Optional(Amount),
    legs: Type.Optional(
      Type.Array(Type.Object({ line: Type.Integer({ minimum: 1, maximum: 100 }), amount: Amount }, closed), {
        minItems: 2,
        maxItems: 100,
      }),
    ),
    externalRef: Type.Optional(ExternalRef),
    effectiveAt: Type.Optional(EffectiveAt),
    metadata: Type.Optional(Metadata),
  },
  {
    ...closed,
    description:
      'Neither amount nor legs: everything that is left. amount: that much of a transaction with two legs. legs: so much of each line.',
  },
);

export const Leg = Type.Object({
  line: Type.Integer(),
  accountId: Id,
  direction: Side,
  amount: Amount,
  balanceAfter: Type.String({ description: 'Posted balance of the account after this leg' }),
  accountVersion: Type.Integer(),
  reversesLine: nullable(Type.Integer()),
});

const transactionFields = {
  id: Id,
  kind: Type.Enum(['posting', 'fx', 'reversal']),
  externalRef: nullable(Type.String()),
  effectiveAt: Timestamp,
  createdAt: Timestamp,
  actor: Type.String(),
  reverses: nullable(Id),
  metadata: Type.Record(Type.String(), Type.String()),
  legs: Type.Array(Leg),
};

/** A transaction as it was written; it never changes. */
export const Transaction = Type.Object(transactionFields, { $id: 'Transaction' });

/** With what happened to it later. */
export const TransactionDetail = Type.Object(
  {
    ...transactionFields,
    reversal: Type.Object({
      state: Type.Enum(['none', 'partial', 'full']),
      transactions: Type.Array(Id),
      remaining: Type.Array(Type.Object({ line: Type.Integer(), amount: Type.String() })),
    }),
  },
  { $id: 'TransactionDetail' },
);

export const TransactionPage = Type.Object(
  { items: Type.Array(Transaction), nextCursor: nullable(Type.String()) },
  { $id: 'TransactionPage' },
);

export const TrialBalance = Type.Object(
  {
    asOf: Timestamp,
    balanced: Type.Boolean(),
    currencies: Type.Array(
      Type.Object({
        currency: Currency,
        accounts: Type.Integer(),
        debits: Type.String(),
        credits: Type.String(),
        difference: Type.String({ description: '"0" when the books are in order' }),
      }),
    ),
  },
  { $id: 'TrialBalance' },
);

/** What answers refer to by name; the OpenAPI document has each once. */
export const SHARED: TSchema[] = [
  Account,
  Balance,
  EntryPage,
  Transaction,
  TransactionDetail,
  TransactionPage,
  TrialBalance,
];

export type NewAccount = Static<typeof NewAccount>;
export type Account = Static<typeof Account>;
export type NewStatus = Static<typeof NewStatus>;
export type Balance = Static<typeof Balance>;
export type Entry = Static<typeof Entry>;
export type NewTransaction = Static<typeof NewTransaction>;
export type NewReversal = Static<typeof NewReversal>;
export type Transaction = Static<typeof Transaction>;
export type TransactionDetail = Static<typeof TransactionDetail>;
export type TrialBalance = Static<typeof TrialBalance>;
