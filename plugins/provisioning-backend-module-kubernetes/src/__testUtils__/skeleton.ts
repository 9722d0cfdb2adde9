import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseEntityRef } from '@backstage/catalog-model';
import nunjucks from 'nunjucks';
import {
  renderKustomization,
  setImage,
  type Manifest,
  type ManifestFiles,
} from '../manifests';

const SKELETON = path.resolve(
  __dirname,
  '../../../../templates/skeletons/kubernetes',
);

export const IMAGE = `registry.example.com/acme/ledger@sha256:${'ab'.repeat(
  32,
)}`;

const rendered = new Map<string, [string, string][]>();

/** The manifests of a golden service as the scaffolder writes them. */
export function skeletonFiles(
  values: { name?: string; broker?: string; template?: string } = {},
): Map<string, string> {
  const key = JSON.stringify(values);
  if (!rendered.has(key)) rendered.set(key, [...renderSkeleton(values)]);
  return new Map(rendered.get(key));
}

function renderSkeleton(values: object): Map<string, string> {
  const env = new nunjucks.Environment(null, {
    autoescape: false,
    tags: { variableStart: '${{', variableEnd: '}}' },
  });
  env.addFilter('parseEntityRef', (ref: string) => parseEntityRef(ref));
  const files = new Map<string, string>();
  for (const entry of readdirSync(SKELETON, {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!entry.isFile() || !entry.name.endsWith('.yaml')) continue;
    const file = path.join(entry.parentPath, entry.name);
    files.set(
      path.relative(SKELETON, file),
      env.renderString(readFileSync(file, 'utf8'), {
        values: {
          name: 'ledger',
          owner: 'group:default/payments',
          criticalPath: 'criticalpath:default/wallet-top-up',
          broker: 'log',
          template: 'transaction-service-nodejs',
          version: '1.0.0',
          ...values,
        },
      }),
    );
  }
  return files;
}

/** An overlay of them with an image. */
export function skeleton(
  overlay = 'production',
  files: ManifestFiles = skeletonFiles(),
): Manifest[] {
  const objects = renderKustomization(files, `overlays/${overlay}`);
  setImage(objects, 'service', IMAGE);
  return objects;
}
