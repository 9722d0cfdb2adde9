import type { PreflightFinding } from '@rocket/plugin-provisioning-common';

/**
 * What a preflight says where the local runtime is switched off. A run goes on
 * without it when services have other places to run: its pipeline deploys them.
 * @param elsewhere - names of the environments on other runtimes
 */
export function noLocalRuntime(
  subject: string,
  elsewhere: readonly string[],
): PreflightFinding {
  const why =
    'This installation runs no services itself (provisioning.local.enabled is false)';
  return elsewhere.length
    ? {
        reason: 'runtime-missing',
        level: 'warning',
        subject,
        message: `${why}; this is left out, deploy to ${elsewhere.join(
          ', ',
        )} once the pipeline has built an image`,
      }
    : {
        reason: 'runtime-missing',
        level: 'error',
        subject,
        message: `${why}; deploy through its pipelines`,
      };
}
