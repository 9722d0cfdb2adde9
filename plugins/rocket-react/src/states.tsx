import {
  RiAlertLine,
  RiCheckboxCircleFill,
  RiFlagOffLine,
  RiFireLine,
  RiHistoryLine,
  RiProhibitedLine,
  RiQuestionLine,
  RiToolsLine,
} from '@remixicon/react';
import type { ComponentType } from 'react';

/** The states that a measured subject can be in. */
export type SignalState =
  | 'healthy'
  | 'at-risk'
  | 'exhausted'
  | 'no-data'
  | 'stale'
  | 'no-objective'
  | 'unknown'
  | 'maintenance';

/** The look of a state. Only `healthy` is `positive`. */
export type Tone = 'positive' | 'warning' | 'negative' | 'neutral' | 'missing';

/** How a state is shown, and where it stands when the worst come first. */
export interface StateInfo {
  label: string;
  /** One sentence for people who meet the word for the first time. */
  meaning: string;
  tone: Tone;
  /** 0 is the worst. States without knowledge come before known good ones. */
  rank: number;
  Icon: ComponentType<{ size?: number | string; className?: string }>;
}

/** Every state with its label, meaning, tone, icon and rank. */
export const STATES: Record<SignalState, StateInfo> = {
  exhausted: {
    label: 'Exhausted',
    meaning: 'The error budget of an objective is spent.',
    tone: 'negative',
    rank: 0,
    Icon: RiFireLine,
  },
  'at-risk': {
    label: 'At risk',
    meaning:
      'Less than a quarter of an error budget is left, or throughput is below its target.',
    tone: 'warning',
    rank: 1,
    Icon: RiAlertLine,
  },
  stale: {
    label: 'Stale',
    meaning:
      'The newest data is older than allowed: nobody knows how it is now.',
    tone: 'missing',
    rank: 2,
    Icon: RiHistoryLine,
  },
  'no-data': {
    label: 'No data',
    meaning: 'Nothing was measured in this window.',
    tone: 'missing',
    rank: 3,
    Icon: RiProhibitedLine,
  },
  unknown: {
    label: 'Unknown',
    meaning: 'A part of it cannot be seen, so nobody may call it healthy.',
    tone: 'missing',
    rank: 4,
    Icon: RiQuestionLine,
  },
  'no-objective': {
    label: 'No objective',
    meaning: 'It is measured, but no target says what is good enough.',
    tone: 'neutral',
    rank: 5,
    Icon: RiFlagOffLine,
  },
  maintenance: {
    label: 'In maintenance',
    meaning:
      'Planned downtime was declared for now; its requests do not count.',
    tone: 'neutral',
    rank: 6,
    Icon: RiToolsLine,
  },
  healthy: {
    label: 'Healthy',
    meaning: 'All objectives are met and the data is fresh.',
    tone: 'positive',
    rank: 7,
    Icon: RiCheckboxCircleFill,
  },
};

/** True for states in which no figure may look like a good one: nobody knows how it is. */
export function isMissing(state: SignalState): boolean {
  return STATES[state].tone === 'missing';
}

/** The states from the worst to the best. */
export const STATES_BY_RANK = (Object.keys(STATES) as SignalState[]).sort(
  (a, b) => STATES[a].rank - STATES[b].rank,
);
