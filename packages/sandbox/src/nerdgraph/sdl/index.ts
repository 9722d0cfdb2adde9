import { ALERTS_SDL } from './alerts';
import { BASE_SDL } from './base';
import { CHANGE_TRACKING_SDL } from './changeTracking';
import { DASHBOARDS_SDL } from './dashboards';
import { ENTITIES_SDL } from './entities';
import { NRQL_SDL } from './nrql';
import { SERVICE_LEVELS_SDL } from './serviceLevels';
import { TAGGING_SDL } from './tagging';

/** The part of NerdGraph that the sandbox answers, in New Relic's names. */
export const SDL = [
  BASE_SDL,
  NRQL_SDL,
  ENTITIES_SDL,
  TAGGING_SDL,
  SERVICE_LEVELS_SDL,
  ALERTS_SDL,
  DASHBOARDS_SDL,
  CHANGE_TRACKING_SDL,
].join('\n');
