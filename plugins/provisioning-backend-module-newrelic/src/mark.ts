import type { Effect } from '@rocket/plugin-provisioning-common';

/**
 * How everything that Rocket makes for a component begins its description. No
 * entity ref has ": " in it, so none of these is the beginning of another one.
 */
export function markOf({ subject }: Pick<Effect, 'subject'>): string {
  return `Made by Rocket for ${subject}: `;
}

/** Whether a description says that it was made for this component. */
export function isMarked(
  thing: { description?: string | null },
  mark: string,
): boolean {
  return thing.description?.startsWith(mark) ?? false;
}

/** Name of a policy or dashboard in New Relic. */
export function nameOf({ reference }: Pick<Effect, 'reference'>): string {
  return `${reference} (Rocket)`;
}
