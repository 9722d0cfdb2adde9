/** One thing that is wrong with a catalog file. */
export interface Problem {
  /** As it is shown: relative to the folder where the command runs. */
  file: string;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  severity: 'error' | 'warning';
  /** Short and stable, for example `owner`. */
  rule: string;
  /** For people; names the field and the way out. */
  message: string;
  /** Path of the field in the entity, for example `spec.owner`. */
  field?: string;
  /** Ref of the entity, as far as it has one. */
  entityRef?: string;
}
