/** What has to be true of the manifests of a rendered repository: every overlay can be rendered, and keeps the rules. */
import path from 'node:path';
import {
  lintManifests,
  readManifestFiles,
  renderKustomization,
  setImage,
} from '@rocket/plugin-provisioning-backend-module-kubernetes/manifests';
import { assert, equal, type Report } from './report';

const OVERLAYS = {
  dev: 'development',
  staging: 'staging',
  production: 'production',
} as const;

/** What a pipeline puts in. */
const IMAGE = `registry.example.com/service@sha256:${'0'.repeat(64)}`;

export async function checkManifests(
  report: Report,
  root: string,
  name: string,
  label: string,
): Promise<void> {
  for (const [overlay, tier] of Object.entries(OVERLAYS))
    await report.check(
      `${label}: manifests of ${overlay} keep the rules`,
      async () => {
        const files = await readManifestFiles(
          path.join(root, 'deploy/kubernetes'),
        );
        const objects = renderKustomization(files, `overlays/${overlay}`);
        setImage(objects, 'service', IMAGE);
        equal(
          lintManifests({ objects, tier }).map(
            ({ rule, object, message }) => `${rule}: ${object}: ${message}`,
          ),
          [],
          'what the rules say',
        );
        for (const object of objects)
          assert(
            object.metadata.name.length <=
              (['Service', 'Job', 'Namespace'].includes(object.kind)
                ? 63
                : 253),
            `${object.kind} ${object.metadata.name}: the name is too long`,
          );
        assert(
          objects.some(
            ({ kind, metadata }) =>
              kind === 'Deployment' &&
              metadata.labels?.['backstage.io/kubernetes-id'] === name,
          ),
          'no Deployment is found by backstage.io/kubernetes-id',
        );
      },
    );
}
