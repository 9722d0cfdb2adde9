import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
/** What Rocket brings and makes here; git-ignored. */
export const STATE = resolve(ROOT, '.rocket');
export const LOGS = resolve(STATE, 'log');
export const TECHDOCS_ENV = resolve(STATE, 'techdocs');
