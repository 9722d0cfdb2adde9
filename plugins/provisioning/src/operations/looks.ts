import {
  RiAlertLine,
  RiArchiveLine,
  RiArrowGoBackLine,
  RiCheckboxBlankCircleLine,
  RiCheckboxCircleFill,
  RiCloseCircleFill,
  RiDeleteBinLine,
  RiUserSettingsLine,
  RiLoader4Line,
  RiMoonLine,
  RiProhibitedLine,
  RiQuestionLine,
  RiTimeLine,
  RiUserLine,
} from '@remixicon/react';
import type {
  EffectState,
  EnvironmentState,
  Observation,
  OperationKind,
  OperationState,
  OperationStep,
  PlanStep,
} from '@rocket/plugin-provisioning-common';
import type { ToneBadgeProps } from '@rocket/rocket-react';

/** How a word of provisioning is shown, and what it means. */
export type Look = Pick<ToneBadgeProps, 'label' | 'tone' | 'Icon'> & {
  meaning: string;
};

/** States of what Rocket made. */
export const EFFECT_STATES: Record<EffectState, Look> = {
  planned: {
    label: 'Planned',
    tone: 'neutral',
    Icon: RiTimeLine,
    meaning: 'Written down, not begun.',
  },
  applying: {
    label: 'Being made',
    tone: 'neutral',
    Icon: RiLoader4Line,
    meaning: 'It may exist in part.',
  },
  live: {
    label: 'Live',
    tone: 'positive',
    Icon: RiCheckboxCircleFill,
    meaning: 'It was made and has not been taken back.',
  },
  failed: {
    label: 'Failed',
    tone: 'negative',
    Icon: RiCloseCircleFill,
    meaning: 'The attempt ended with an error; parts of it may exist.',
  },
  undoing: {
    label: 'Being removed',
    tone: 'neutral',
    Icon: RiArrowGoBackLine,
    meaning: 'It is being taken back.',
  },
  undone: {
    label: 'Gone',
    tone: 'missing',
    Icon: RiDeleteBinLine,
    meaning: 'It is gone from the outside world.',
  },
  manual: {
    label: 'Needs a person',
    tone: 'warning',
    Icon: RiUserSettingsLine,
    meaning: 'Somebody has to finish it by hand.',
  },
  retained: {
    label: 'Kept',
    tone: 'neutral',
    Icon: RiArchiveLine,
    meaning: 'Out of use; its data is kept for a while.',
  },
};

/** What a look at the outside world found. */
export const OBSERVATIONS: Record<Observation['state'], Look> = {
  present: {
    label: 'As intended',
    tone: 'positive',
    Icon: RiCheckboxCircleFill,
    meaning: 'It is there, and as it should be.',
  },
  drifted: {
    label: 'Drifted',
    tone: 'warning',
    Icon: RiAlertLine,
    meaning: 'Somebody changed it; the differences are listed.',
  },
  absent: {
    label: 'Missing',
    tone: 'negative',
    Icon: RiCloseCircleFill,
    meaning: 'It should be there and is not.',
  },
  unknown: {
    label: 'Not known',
    tone: 'missing',
    Icon: RiQuestionLine,
    meaning: 'The outside system did not answer.',
  },
};

/** States of what people asked for. */
export const OPERATION_STATES: Record<OperationState, Look> = {
  waiting: {
    label: 'Waits for approval',
    tone: 'warning',
    Icon: RiUserLine,
    meaning: 'Another person has to agree before anything happens.',
  },
  running: {
    label: 'Under way',
    tone: 'neutral',
    Icon: RiLoader4Line,
    meaning: 'Its steps are being carried out.',
  },
  done: {
    label: 'Done',
    tone: 'positive',
    Icon: RiCheckboxCircleFill,
    meaning: 'Every step is done.',
  },
  partial: {
    label: 'Partly done',
    tone: 'warning',
    Icon: RiUserSettingsLine,
    meaning: 'What is left needs a person.',
  },
  failed: {
    label: 'Failed',
    tone: 'negative',
    Icon: RiCloseCircleFill,
    meaning: 'A step ended with an error; it can be tried again.',
  },
  rejected: {
    label: 'Refused',
    tone: 'negative',
    Icon: RiProhibitedLine,
    meaning: 'The approver said no; nothing happened.',
  },
  expired: {
    label: 'Expired',
    tone: 'missing',
    Icon: RiTimeLine,
    meaning: 'Nobody approved it in time; nothing happened.',
  },
  cancelled: {
    label: 'Cancelled',
    tone: 'missing',
    Icon: RiProhibitedLine,
    meaning: 'It was called off.',
  },
};

/** Operations that can still change something. */
export const OPEN_STATES: readonly OperationState[] = [
  'waiting',
  'running',
  'partial',
  'failed',
];

/** How far a step is. */
export const STEP_STATES: Record<
  OperationStep['status'],
  Omit<Look, 'meaning'>
> = {
  pending: {
    label: 'Waiting',
    tone: 'missing',
    Icon: RiCheckboxBlankCircleLine,
  },
  running: { label: 'Under way', tone: 'neutral', Icon: RiLoader4Line },
  done: { label: 'Done', tone: 'positive', Icon: RiCheckboxCircleFill },
  failed: { label: 'Failed', tone: 'negative', Icon: RiCloseCircleFill },
  manual: { label: 'By hand', tone: 'warning', Icon: RiUserSettingsLine },
  skipped: { label: 'Left out', tone: 'missing', Icon: RiProhibitedLine },
};

/** What a step of a plan does to the world. */
export const CHANGES: Record<PlanStep['change'], string> = {
  create: 'makes',
  change: 'changes',
  remove: 'removes',
  keep: 'keeps',
  manual: 'by hand',
};

/** States of environments that were made on demand. */
export const ENVIRONMENT_STATES: Record<EnvironmentState, Look> = {
  requested: {
    label: 'Asked for',
    tone: 'neutral',
    Icon: RiTimeLine,
    meaning: 'Not begun yet.',
  },
  provisioning: {
    label: 'Being made',
    tone: 'neutral',
    Icon: RiLoader4Line,
    meaning: 'Its database and service are being brought up.',
  },
  ready: {
    label: 'Ready',
    tone: 'positive',
    Icon: RiCheckboxCircleFill,
    meaning: 'Its service answers.',
  },
  sleeping: {
    label: 'Asleep',
    tone: 'neutral',
    Icon: RiMoonLine,
    meaning: 'Its service is stopped; its data is kept.',
  },
  expiring: {
    label: 'Ends soon',
    tone: 'warning',
    Icon: RiTimeLine,
    meaning: 'It is removed when its time is up, unless it is prolonged.',
  },
  deleting: {
    label: 'Being removed',
    tone: 'neutral',
    Icon: RiArrowGoBackLine,
    meaning: 'Everything of it is being taken back.',
  },
  deleted: {
    label: 'Gone',
    tone: 'missing',
    Icon: RiDeleteBinLine,
    meaning: 'Nothing of it is left.',
  },
  failed: {
    label: 'Failed',
    tone: 'negative',
    Icon: RiCloseCircleFill,
    meaning: 'It did not come up.',
  },
  'delete-failed': {
    label: 'Not fully removed',
    tone: 'negative',
    Icon: RiAlertLine,
    meaning: 'Something of it is stuck; it is tried again and still counts.',
  },
};

/** Name of what was asked for, as a title. */
export const KINDS: Record<OperationKind, string> = {
  undo: 'Undo a run',
  deploy: 'Deploy a version',
  rollback: 'Roll back',
  scale: 'Scale',
  rotate: 'Rotate credentials',
  retire: 'Retire',
  'environment-create': 'New environment',
  'environment-delete': 'Remove an environment',
};
