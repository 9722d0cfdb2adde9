import type { Check } from '../checks';
import { drainChecks } from '../operations';

export const authorizationSuite: Check[] = [];
export const authorizationLast: Check[] = drainChecks;
