import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  KubernetesClient,
  KubernetesService,
} from '@rocket/kubernetes-node';
import type { PreflightFinding } from '@rocket/plugin-provisioning-common';

export const TIERS = ['development', 'staging', 'production'] as const;
export type Tier = (typeof TIERS)[number];

/** @throws InputError naming the field */
export function textField(
  intent: JsonObject,
  field: string,
  fallback?: string,
): string {
  const value = intent[field] ?? fallback;
  if (typeof value !== 'string' || !value || value.length > 500)
    throw new InputError(`${field}: must be a text of 1 to 500 characters`);
  return value;
}

export function tierField(intent: JsonObject): Tier {
  const tier = textField(intent, 'tier') as Tier;
  if (!TIERS.includes(tier))
    throw new InputError(`tier: must be one of ${TIERS.join(', ')}`);
  return tier;
}

export const found = (
  level: PreflightFinding['level'],
  reason: string,
  subject: string,
  message: string,
): PreflightFinding => ({ level, reason, subject, message });

/** The cluster's client, or what is wrong with its name. */
export function findClient(
  kubernetes: KubernetesService,
  cluster: string,
): KubernetesClient | PreflightFinding {
  try {
    return kubernetes.getClient(cluster);
  } catch (error) {
    return found('error', 'cluster-unknown', cluster, (error as Error).message);
  }
}
