/** The life of an authorization: made from contracts/authorization-states.yaml, where it is changed and explained. */
export const STATE_TABLE = {
  version: 1,
  statuses: ['AUTHORIZED', 'PARTIALLY_CAPTURED', 'CAPTURED', 'PARTIALLY_REVERSED', 'REVERSED', 'EXPIRED', 'DECLINED'],
  derive: [
    { when: 'authorized = 0', status: 'DECLINED' },
    { when: 'held > 0 and captured > 0', status: 'PARTIALLY_CAPTURED' },
    { when: 'held > 0 and reversed > 0', status: 'PARTIALLY_REVERSED' },
    { when: 'held > 0', status: 'AUTHORIZED' },
    { when: 'captured > 0', status: 'CAPTURED' },
    { when: 'expired', status: 'EXPIRED' },
    { when: 'otherwise', status: 'REVERSED' },
  ],
  events: {
    AUTHORIZED: { authorized: 'amount' },
    ADVICE: { authorized: 'amount' },
    DECLINED: {},
    INCREMENTED: { authorized: 'amount' },
    INCREMENT_DECLINED: {},
    CAPTURED: { captured: 'amount', released: 'final * max(0, held - amount)' },
    FORCE_POSTED: { captured: 'amount' },
    REVERSED: { reversed: 'amount' },
    EXPIRED: { released: 'held', expired: 1 },
  },
  transitions: {
    none: {
      authorize: { event: 'AUTHORIZED', declined: 'DECLINED', to: ['AUTHORIZED', 'DECLINED'] },
      advise: { event: 'ADVICE', declined: 'DECLINED', to: ['AUTHORIZED', 'DECLINED'] },
    },
    AUTHORIZED: {
      increment: { event: 'INCREMENTED', declined: 'INCREMENT_DECLINED', to: ['AUTHORIZED'] },
      capture: {
        event: 'CAPTURED',
        unless: { 'captured + amount > limit': 'capture-exceeds-authorization' },
        to: ['PARTIALLY_CAPTURED', 'CAPTURED'],
      },
      reverse: {
        event: 'REVERSED',
        unless: { 'amount > held': 'already-reversed' },
        to: ['PARTIALLY_REVERSED', 'REVERSED'],
      },
      expire: { event: 'EXPIRED', to: ['EXPIRED'] },
    },
    PARTIALLY_CAPTURED: {
      increment: { event: 'INCREMENTED', declined: 'INCREMENT_DECLINED', to: ['PARTIALLY_CAPTURED'] },
      capture: {
        event: 'CAPTURED',
        unless: { 'captured + amount > limit': 'capture-exceeds-authorization' },
        to: ['PARTIALLY_CAPTURED', 'CAPTURED'],
      },
      reverse: {
        event: 'REVERSED',
        unless: { 'amount > held': 'already-reversed' },
        to: ['PARTIALLY_CAPTURED', 'CAPTURED'],
      },
      expire: { event: 'EXPIRED', to: ['CAPTURED'] },
    },
    PARTIALLY_REVERSED: {
      increment: { event: 'INCREMENTED', declined: 'INCREMENT_DECLINED', to: ['PARTIALLY_REVERSED'] },
      capture: {
        event: 'CAPTURED',
        unless: { 'captured + amount > limit': 'capture-exceeds-authorization' },
        to: ['PARTIALLY_CAPTURED', 'CAPTURED'],
      },
      reverse: {
        event: 'REVERSED',
        unless: { 'amount > held': 'already-reversed' },
        to: ['PARTIALLY_REVERSED', 'REVERSED'],
      },
      expire: { event: 'EXPIRED', to: ['EXPIRED'] },
    },
    CAPTURED: {
      increment: { refuse: 'authorization-not-open' },
      capture: {
        event: 'FORCE_POSTED',
        unless: { 'captured + amount > limit': 'capture-exceeds-authorization' },
        to: ['CAPTURED'],
      },
      reverse: { refuse: 'already-reversed' },
      expire: { refuse: 'authorization-not-open' },
    },
    REVERSED: {
      increment: { refuse: 'authorization-not-open' },
      capture: { refuse: 'authorization-not-open' },
      reverse: { refuse: 'already-reversed' },
      expire: { refuse: 'authorization-not-open' },
    },
    EXPIRED: {
      increment: { refuse: 'authorization-not-open' },
      capture: {
        event: 'FORCE_POSTED',
        unless: { 'captured + amount > limit': 'capture-exceeds-authorization' },
        to: ['CAPTURED'],
      },
      reverse: { refuse: 'already-reversed' },
      expire: { refuse: 'authorization-not-open' },
    },
    DECLINED: {
      increment: { refuse: 'authorization-not-open' },
      capture: { refuse: 'authorization-not-open' },
      reverse: { refuse: 'authorization-not-open' },
      expire: { refuse: 'authorization-not-open' },
    },
  },
} as const;
