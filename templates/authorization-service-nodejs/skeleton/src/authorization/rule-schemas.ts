import { Type, type Static } from 'typebox';
import { closed, Currency } from '../platform/http/schemas.ts';
import { AMOUNT_PATTERN } from '../platform/money.ts';

/** The language of rule sets. What each field does is in rules.ts. */

const Minor = (description: string) => Type.Optional(Type.String({ pattern: AMOUNT_PATTERN, description }));

const MccRange = Type.String({
  pattern: '^[0-9]{4}(-[0-9]{4})?$',
  description: 'One category or a range',
  examples: ['7011', '3501-3999'],
});
const Mccs = Type.Array(MccRange, { minItems: 1, maxItems: 200 });
const Countries = Type.Array(Type.String({ pattern: '^[A-Z]{2}$' }), { minItems: 1, maxItems: 250 });

export const RuleSetBody = Type.Object(
  {
    currency: Type.Optional(
      Type.String({ ...Currency, description: 'Of the amounts below; needed with any of them. Others are declined.' }),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          perTransaction: Minor('Largest single amount, minor units'),
          perDay: Minor('Sum per card and day (UTC)'),
          perWeek: Minor('Sum per card and week (Monday to Sunday, UTC)'),
          perMonth: Minor('Sum per card and calendar month (UTC)'),
          countPerHour: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })),
        },
        closed,
      ),
    ),
    mcc: Type.Optional(
      Type.Object(
        { allow: Type.Optional(Mccs), deny: Type.Optional(Mccs) },
        {
          ...closed,
          description: 'deny is looked at first; with allow, everything else is denied',
        },
      ),
    ),
    country: Type.Optional(Type.Object({ allow: Type.Optional(Countries), deny: Type.Optional(Countries) }, closed)),
    overCapture: Type.Optional(
      Type.Array(
        Type.Object(
          {
            mccs: Mccs,
            percent: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000 })),
            upTo: Minor('Captures in all may reach this, however little was authorized (fuel)'),
          },
          closed,
        ),
        {
          maxItems: 50,
          description:
            'How much more than authorized may be captured; the first entry that has the category counts. Default: 20 % for 5812-5814, 7230, 4121; none for others.',
        },
      ),
    ),
    holds: Type.Optional(
      Type.Array(Type.Object({ mccs: Mccs, days: Type.Integer({ minimum: 1, maximum: 365 }) }, closed), {
        maxItems: 50,
        description: 'How long an authorization holds; default: 31 days for lodging (3501-3999, 7011)',
      }),
    ),
    defaultHoldDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 365, description: 'Default: 7' })),
    risk: Type.Optional(
      Type.Object(
        {
          declineFrom: Type.Integer({
            minimum: 1,
            maximum: 100,
            description: 'Scores from here on are declined with 05',
          }),
          whenUnavailable: Type.Optional(
            Type.Enum(['approve', 'decline'], {
              description: 'No score in time. approve (default): go on without one. decline: 91',
            }),
          ),
          unavailableUpTo: Minor('With approve: only up to this amount, above it 91'),
        },
        { ...closed, description: 'Asks the risk partner, if one is configured' },
      ),
    ),
  },
  closed,
);

export type RuleSetBody = Static<typeof RuleSetBody>;
