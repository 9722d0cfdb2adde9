/** The version of OpenSLO that is written and read. */
export const OPENSLO_API_VERSION = 'openslo/v1';

export const PATH_ANNOTATION = 'rocket.internal/critical-path';
export const SLI_ANNOTATION = 'rocket.internal/sli';
export const UNIT_ANNOTATION = 'rocket.internal/unit';
export const PERCENTILE_ANNOTATION = 'rocket.internal/percentile';
/** On a Service: JSON of the objectives that OpenSLO has no words for. */
export const OTHER_OBJECTIVES_ANNOTATION = 'rocket.internal/other-objectives';

/** One document of OpenSLO. */
export interface OpenSloDocument {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    displayName?: string;
    annotations?: Record<string, string>;
  };
  spec: Record<string, unknown>;
}
