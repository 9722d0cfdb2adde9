import { Type, type Static, type TSchema } from 'typebox';
import { Amount, closed, Id, Metadata, nullable, ref, Text, Timestamp } from '../platform/http/schemas.ts';
import { SIGNED_AMOUNT_PATTERN } from '../platform/money.ts';
import { CardToken, SETTINGS } from './setting-schemas.ts';

/** Shapes of the API about authorizations. The OpenAPI document and the validation are both made from these. */

const Minor = (description: string) => Type.String({ pattern: SIGNED_AMOUNT_PATTERN, description });

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
  ...SETTINGS,
  Authorization,
  AuthorizationPage,
  AuthorizationEvent,
  AuthorizationEvents,
  NetworkReversal,
];

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
