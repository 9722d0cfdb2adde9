/** On a Component: which runtime it runs on. */
export const ANNOTATION_RUNTIME = 'rocket.internal/runtime';

/** Value of `ANNOTATION_RUNTIME` for processes on the machine of the portal. */
export const RUNTIME_LOCAL = 'local';
