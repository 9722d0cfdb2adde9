import {
  containersOf,
  podTemplates,
  type Manifest,
  type PodTemplate,
} from '../manifest';

/** What is wrong with one object, in words that say how to put it right. */
export interface Finding {
  rule: string;
  /** Kind and name. */
  object: string;
  message: string;
}

/** What the rules look at: everything that one overlay renders, the image included. */
export interface Rendering {
  objects: Manifest[];
  tier: 'development' | 'staging' | 'production';
}

export interface Rule {
  /** Stable; teams name it in reviews. */
  id: string;
  title: string;
  /** Calls `say` for everything that is wrong. */
  check(
    rendering: Rendering,
    say: (object: Manifest, message: string) => void,
  ): void;
}

export const ofKind = (objects: Manifest[], ...kinds: string[]) =>
  objects.filter(object => kinds.includes(object.kind));

/** Every pod template with the object that has it. */
export const templatesOf = (
  objects: Manifest[],
): { object: Manifest; pod: PodTemplate; spec: any; labels: any }[] =>
  objects.flatMap(object =>
    podTemplates(object).map(pod => ({
      object,
      pod,
      spec: pod.template.spec ?? {},
      labels: pod.template.metadata?.labels ?? {},
    })),
  );

export const eachContainer = (
  objects: Manifest[],
  visit: (object: Manifest, container: any, spec: any) => void,
) => {
  for (const { object, pod, spec } of templatesOf(objects))
    for (const container of containersOf(pod)) visit(object, container, spec);
};

/** Whether a selector of labels, as Deployments have it, chooses these labels. An empty one chooses everything. */
export const selects = (
  selector: { matchLabels?: Record<string, string> } | undefined,
  labels: Record<string, string>,
) =>
  Object.entries(selector?.matchLabels ?? {}).every(
    ([key, value]) => labels?.[key] === value,
  );

/** A quantity of Kubernetes as a number; NaN for what is none. */
export function quantity(value: unknown): number {
  const match = /^(\d+(?:\.\d+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?$/.exec(
    String(value ?? ''),
  );
  if (!match) return NaN;
  const factors: Record<string, number> = {
    m: 1e-3,
    k: 1e3,
    Ki: 2 ** 10,
    M: 1e6,
    Mi: 2 ** 20,
    G: 1e9,
    Gi: 2 ** 30,
    T: 1e12,
    Ti: 2 ** 40,
  };
  return Number(match[1]) * (match[2] ? factors[match[2]] : 1);
}
