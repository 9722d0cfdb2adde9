import { describe } from '../manifest';
import { namespaceRules } from './namespace';
import { podRules } from './pods';
import type { Finding, Rendering, Rule } from './rule';
import { workloadRules } from './workloads';

export type { Finding, Rendering, Rule } from './rule';
export { ALLOWED_KINDS } from './workloads';

/** What a rendering of the shared skeleton keeps; docs/kubernetes.md tells why. */
export const RULES: readonly Rule[] = [
  ...namespaceRules,
  ...podRules,
  ...workloadRules,
];

/** Everything that is wrong with a rendering, by rule. */
export function lintManifests(rendering: Rendering): Finding[] {
  return RULES.flatMap(rule => {
    const findings: Finding[] = [];
    rule.check(rendering, (object, message) =>
      findings.push({ rule: rule.id, object: describe(object), message }),
    );
    return findings;
  });
}
export { quantity } from './rule';
