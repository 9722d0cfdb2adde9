import {
  RiAddCircleLine,
  RiAlertLine,
  RiArrowGoBackLine,
  RiCheckboxCircleFill,
  RiCloseCircleFill,
  RiDeleteBinLine,
  RiEditLine,
  RiErrorWarningLine,
  RiGhostLine,
  RiHistoryLine,
  RiLink,
  RiLoader4Line,
  RiLogoutBoxLine,
  RiProhibitedLine,
  RiStopCircleLine,
} from '@remixicon/react';
import type {
  KnownBuildOutcome,
  ChangeSeverity,
  DeploymentOutcome,
  EntityChange,
  FreshnessState,
} from '@rocket/plugin-ci-registry-common';
import type { ToneBadgeProps } from '@rocket/rocket-react';

/** How a word of the registry is shown. */
export type Look = Pick<ToneBadgeProps, 'label' | 'tone' | 'Icon'> & {
  /** One sentence for people who meet the word for the first time. */
  meaning?: string;
};

/** How far an entity is known to be true; the order is that of severity. */
export const FRESHNESS: Record<FreshnessState, Look & { meaning: string }> = {
  gone: {
    label: 'Gone',
    tone: 'negative',
    Icon: RiLogoutBoxLine,
    meaning:
      'Its source no longer has it. It leaves the catalog after the grace time.',
  },
  'running-unregistered': {
    label: 'Running, not registered',
    tone: 'negative',
    Icon: RiGhostLine,
    meaning: 'It runs, but nobody pushed it.',
  },
  'registered-not-running': {
    label: 'Registered, not running',
    tone: 'warning',
    Icon: RiStopCircleLine,
    meaning: 'It was pushed and deployed, but nothing runs.',
  },
  stale: {
    label: 'Stale',
    tone: 'missing',
    Icon: RiHistoryLine,
    meaning: 'Nobody has pushed or confirmed it for longer than allowed.',
  },
  unmanaged: {
    label: 'Unmanaged',
    tone: 'neutral',
    Icon: RiLink,
    meaning: 'It comes from elsewhere than pipelines.',
  },
  fresh: {
    label: 'Fresh',
    tone: 'positive',
    Icon: RiCheckboxCircleFill,
    meaning: 'A pipeline pushed or confirmed it within the allowed age.',
  },
};

/** The states from the worst to the best. */
export const FRESHNESS_STATES = Object.keys(FRESHNESS) as FreshnessState[];

/** How builds and deployments ended. */
export const OUTCOMES: Record<KnownBuildOutcome | DeploymentOutcome, Look> = {
  succeeded: {
    label: 'Succeeded',
    tone: 'positive',
    Icon: RiCheckboxCircleFill,
  },
  failed: { label: 'Failed', tone: 'negative', Icon: RiCloseCircleFill },
  'rolled-back': {
    label: 'Rolled back',
    tone: 'warning',
    Icon: RiArrowGoBackLine,
  },
  cancelled: { label: 'Cancelled', tone: 'missing', Icon: RiProhibitedLine },
  running: { label: 'Running', tone: 'neutral', Icon: RiLoader4Line },
  unfinished: {
    label: 'Unfinished',
    tone: 'missing',
    meaning:
      'Its pipeline never said how it ended; it failed after its last report, or was stopped.',
    Icon: RiProhibitedLine,
  },
  'in-progress': { label: 'Under way', tone: 'neutral', Icon: RiLoader4Line },
};

/** What happened to an entity. */
export const CHANGE_KINDS: Record<EntityChange['kind'], Look> = {
  created: { label: 'Registered', tone: 'positive', Icon: RiAddCircleLine },
  updated: { label: 'Changed', tone: 'neutral', Icon: RiEditLine },
  gone: { label: 'Gone', tone: 'warning', Icon: RiLogoutBoxLine },
  restored: { label: 'Came back', tone: 'positive', Icon: RiHistoryLine },
  removed: { label: 'Removed', tone: 'negative', Icon: RiDeleteBinLine },
};

/** What a change of an API means for those who call it. */
export const SEVERITIES: Record<ChangeSeverity, Look> = {
  breaking: { label: 'Breaking', tone: 'negative', Icon: RiErrorWarningLine },
  warning: { label: 'Warning', tone: 'warning', Icon: RiAlertLine },
  compatible: {
    label: 'Compatible',
    tone: 'positive',
    Icon: RiCheckboxCircleFill,
  },
};
