import { Type, type Static, type TSchema } from 'typebox';
import {
  Amount,
  closed,
  Currency,
  Id,
  Metadata,
  nullable,
  ref,
  SignedMinor,
  Text,
  Timestamp,
} from '../platform/http/schemas.ts';
import { SIGNED_AMOUNT_PATTERN } from '../platform/money.ts';
import { PROBLEMS } from '../platform/problems.ts';

/** Shapes of the ledger's API. The OpenAPI document and the validation are both made from these. */

export const AccountKind = Type.Enum(['asset', 'liability', 'equity', 'income', 'expense']);
export const Side = Type.Enum(['debit', 'credit']);
export const AccountStatus = Type.Enum(['open', 'frozen', 'closed']);

export const ExternalRef = Text(128, 'Your own reference; not unique.');

export const NewAccount = Type.Object(
  {
    name: Text(200, 'For people'),
    kind: AccountKind,
    currency: Currency,
    normalSide: Type.Optional(
      Type.Enum(['debit', 'credit'], { description: 'Default: debit for asset and expense, credit for the others' }),
    ),
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
    posted: Type.String({
      pattern: SIGNED_AMOUNT_PATTERN,
      description: 'Posted balance, positive on the normal side of the account',
    }),
    pending: Type.Union([SignedMinor, Type.Null()], {
      description: 'What pending transactions would take out; null with `at`',
    }),
    available: Type.Union([SignedMinor, Type.Null()], {
      description: 'posted minus pending, what may still be taken out before minAvailable; null with `at`',
    }),
    debitsPosted: SignedMinor,
    creditsPosted: SignedMinor,
    version: Type.Integer({ description: 'Number of entries that were counted' }),
    at: Type.Union([Timestamp, Type.Null()], { description: 'The moment that was asked for' }),
  },
  { $id: 'Balance' },
);

export const Entry = Type.Object({
  transactionId: Id,
  line: Type.Integer(),
  direction: Side,
  amount: Amount,
  balanceAfter: SignedMinor,
  accountVersion: Type.Integer({ description: 'Counts the entries of the account: 1, 2, 3 without a gap' }),
  effectiveAt: Timestamp,
  createdAt: Timestamp,
});

export const EntryPage = Type.Object(
  { items: Type.Array(Entry), nextCursor: nullable(Type.String()) },
  { $id: 'EntryPage' },
);

const EffectiveAt = Type.String({ format: 'date-time', description: 'Business time. Default: now.' });

const common = {
  externalRef: Type.Optional(ExternalRef),
  effectiveAt: Type.Optional(EffectiveAt),
  metadata: Type.Optional(Metadata),
};

export const NewTransaction = Type.Object(
  {
    kind: Type.Optional(
      Type.Enum(['posting', 'fx', 'pending'], {
        description:
          'May be left out: pending when `pending` is given, fx when there is more than one currency, posting otherwise. When it is given, ' +
          'it must be that.',
      }),
    ),
    legs: Type.Array(Type.Object({ accountId: Id, direction: Side, amount: Amount }, closed), {
      minItems: 2,
      maxItems: 100,
      description: 'Debits and credits are equal in each currency.',
    }),
    pending: Type.Optional(
      Type.Object(
        { expiresAt: Type.String({ format: 'date-time', description: 'In the future, at most 366 days' }) },
        { ...closed, description: 'Holds the money instead of moving it, until it is posted, voided or expired.' },
      ),
    ),
    ...common,
  },
  closed,
);

export const NewBatch = Type.Object({ items: Type.Array(NewTransaction, { minItems: 1, maxItems: 500 }) }, closed);

export const NewPart = Type.Object(
  {
    amount: Type.Optional(Amount),
    legs: Type.Optional(
      Type.Array(Type.Object({ line: Type.Integer({ minimum: 1, maximum: 100 }), amount: Amount }, closed), {
        minItems: 2,
        maxItems: 100,
      }),
    ),
    ...common,
  },
  {
    ...closed,
    description:
      'Neither amount nor legs: everything that is left. amount: that much of a transaction with two legs. legs: so much of each line.',
  },
);

export const NewVoid = Type.Object(common, closed);

export const Leg = Type.Object({
  line: Type.Integer(),
  accountId: Id,
  direction: Side,
  amount: Amount,
  balanceAfter: Type.Union([SignedMinor, Type.Null()], {
    description:
      'Posted balance of the account after this leg; null in a pending or void transaction, which moves nothing',
  }),
  accountVersion: nullable(Type.Integer()),
  reversesLine: nullable(Type.Integer()),
});

const transactionFields = {
  id: Id,
  kind: Type.Enum(['posting', 'fx', 'pending', 'post', 'void', 'reversal']),
  externalRef: nullable(Type.String()),
  effectiveAt: Timestamp,
  createdAt: Timestamp,
  actor: Type.String(),
  reverses: Type.Union([Id, Type.Null()], { description: 'The transaction that a reversal takes back' }),
  resolves: Type.Union([Id, Type.Null()], { description: 'The pending transaction that a post or void settles' }),
  expiresAt: Type.Union([Timestamp, Type.Null()], { description: 'End of a pending transaction' }),
  metadata: Type.Record(Type.String(), Type.String()),
  legs: Type.Array(Leg, { description: 'A void repeats the legs that it releases.' }),
};

export const Transaction = Type.Object(transactionFields, {
  $id: 'Transaction',
  description: 'As it was written; it never changes. Exactly these members are sealed (audit.md).',
});

export const TransactionDetail = Type.Object(
  {
    ...transactionFields,
    reversal: Type.Object({
      state: Type.Enum(['none', 'partial', 'full']),
      transactions: Type.Array(Id),
      remaining: Type.Array(Type.Object({ line: Type.Integer(), amount: SignedMinor }), {
        description: 'What is left to reverse of each line; empty when the transaction cannot be reversed',
      }),
    }),
    resolution: Type.Union(
      [
        Type.Object({
          state: Type.Enum(['pending', 'posted', 'voided', 'expired']),
          transaction: Type.Union([Id, Type.Null()], { description: 'The post or void; null while pending' }),
        }),
        Type.Null(),
      ],
      { description: 'What became of a pending transaction; null for the other kinds' },
    ),
  },
  { $id: 'TransactionDetail', description: 'With what became of it later' },
);

export const TransactionPage = Type.Object(
  { items: Type.Array(ref(Transaction)), nextCursor: nullable(Type.String()) },
  { $id: 'TransactionPage' },
);

export const ItemProblem = Type.Object(
  {
    type: Type.String({ description: 'A page about this error' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Enum(Object.keys(PROBLEMS)),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String(), code: Type.String(), message: Type.String() })),
    ),
  },
  { $id: 'ItemProblem' },
);

export const BatchResult = Type.Object(
  {
    items: Type.Array(
      Type.Object({
        index: Type.Integer({ description: 'Place of the item in the request, from 0' }),
        status: Type.Integer({
          description: '201, or the status that the request alone would have been refused with',
        }),
        transaction: nullable(ref(Transaction)),
        problem: nullable(ref(ItemProblem)),
      }),
    ),
  },
  { $id: 'BatchResult' },
);

const Total = Type.String({ pattern: '^(0|[1-9][0-9]*)$' });

export const TrialBalance = Type.Object(
  {
    asOf: Timestamp,
    balanced: Type.Boolean(),
    currencies: Type.Array(
      Type.Object({
        currency: Currency,
        accounts: Type.Integer(),
        debits: Total,
        credits: Total,
        difference: Type.String({
          pattern: '^(0|-?[1-9][0-9]*)$',
          description: '"0" when the books are in order',
        }),
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
  ItemProblem,
  BatchResult,
  TrialBalance,
];

export type NewAccount = Static<typeof NewAccount>;
export type Account = Static<typeof Account>;
export type NewStatus = Static<typeof NewStatus>;
export type Balance = Static<typeof Balance>;
export type Entry = Static<typeof Entry>;
export type NewTransaction = Static<typeof NewTransaction>;
export type NewPart = Static<typeof NewPart>;
export type NewVoid = Static<typeof NewVoid>;
export type Transaction = Static<typeof Transaction>;
export type TransactionDetail = Static<typeof TransactionDetail>;
export type ItemProblem = Static<typeof ItemProblem>;
export type TrialBalance = Static<typeof TrialBalance>;
