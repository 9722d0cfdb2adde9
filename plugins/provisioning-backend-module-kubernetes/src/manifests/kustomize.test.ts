import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createMockDirectory } from '@backstage/backend-test-utils';
import { parseAllDocuments } from 'yaml';
import { skeletonFiles } from '../__testUtils__/skeleton';
import { readManifestFiles } from './files';
import { imageName, renderKustomization, setImage } from './kustomize';
import { identityOf } from './manifest';

const CONFIG_MAP =
  'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: "1"}\n';
const files = (entries: Record<string, string>) =>
  new Map(Object.entries(entries));

/** One folder with one ConfigMap and more of a kustomization. */
const small = (kustomization: string, more: Record<string, string> = {}) =>
  files({
    'app/kustomization.yaml': kustomization,
    'app/settings.yaml': CONFIG_MAP,
    ...more,
  });

describe('renderKustomization', () => {
  const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
  // The judge is Kustomize itself, where the machine has it.
  (hasKubectl ? describe : describe.skip)(
    hasKubectl
      ? 'makes the same as Kustomize'
      : 'makes the same as Kustomize: NOT RUN, because there is no kubectl',
    () => {
      const folder = createMockDirectory();
      const theirs = (overlay: string) =>
        parseAllDocuments(
          execFileSync('kubectl', [
            'kustomize',
            path.join(folder.path, overlay),
          ]).toString(),
        ).map(document => document.toJS());
      const byIdentity = (objects: any[]) =>
        Object.fromEntries(
          objects.map(object => [
            identityOf(object),
            JSON.parse(JSON.stringify(object)),
          ]),
        );

      it.each([
        ['dev', 'log'],
        ['staging', 'sns'],
        ['production', 'rabbitmq'],
      ])('of the skeleton: %s with %s', (overlay, broker) => {
        const content = skeletonFiles({ broker });
        folder.setContent(Object.fromEntries(content));
        expect(
          byIdentity(renderKustomization(content, `overlays/${overlay}`)),
        ).toEqual(byIdentity(theirs(`overlays/${overlay}`)));
      });

      it('of images, merges, lists and patches by file', () => {
        const content = skeletonFiles();
        content.set('overlays/dev/more.yaml', CONFIG_MAP);
        content.set(
          'overlays/dev/merge.yaml',
          `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ledger
  annotations: {note: here}
spec:
  revisionHistoryLimit: null
  template:
    spec:
      containers:
        - name: service
          env:
            - {name: LOG_LEVEL, value: debug}
            - {name: EVENT_BROKER, value: http}
          command: [node, other.js]
        - {name: proxy, image: proxy:1}
      volumes:
        - {name: cache, emptyDir: {sizeLimit: 1Mi}}
`,
        );
        content.set(
          'overlays/dev/kustomization.yaml',
          `${content
            .get('overlays/dev/kustomization.yaml')!
            .replace('patches:', 'patches:\n  - path: merge.yaml')
            .replace('resources:', 'resources:\n  - more.yaml')}
images:
  - {name: service, newName: r.example.com/x, digest: 'sha256:${'0'.repeat(
    64,
  )}'}
  - {name: proxy, newTag: '2'}
commonAnnotations: {team: ledger}
`,
        );
        folder.setContent(Object.fromEntries(content));
        const ours = byIdentity(renderKustomization(content, 'overlays/dev'));
        expect(ours).toEqual(byIdentity(theirs('overlays/dev')));
        expect(
          ours['apps/Deployment/ledger-dev/ledger'].spec.revisionHistoryLimit,
        ).toBeUndefined();
      });
    },
  );

  it.each([
    ['another host', 'resources: [https://example.com/base]', /address/],
    ['a Git address', 'resources: ["git@example.com:a/b.git"]', /address/],
    ['a path outside', 'resources: [../../../etc/passwd]', /leads out/],
    ['an absolute path', 'resources: [/etc/passwd]', /leads out/],
    ['a file that is not there', 'resources: [other.yaml]', /there is no app/],
    ['itself', 'resources: [../app]', /includes itself/],
    [
      'generators',
      'configMapGenerator: [{name: a}]',
      /configMapGenerator is not/,
    ],
    ['Helm charts', 'helmCharts: [{name: a}]', /helmCharts is not supported/],
    ['programs', 'transformers: [a.yaml]', /transformers is not supported/],
    [
      'selectors',
      'labels: [{pairs: {a: b}, includeSelectors: true}]',
      /includeSelectors/,
    ],
    ['a bad namespace', 'namespace: Team_A', /no name of a namespace/],
    ['numbers as labels', 'labels: [{pairs: {a: 1}}]', /must be texts/],
    [
      'a patch for nothing',
      'patches: [{target: {kind: Job}, patch: "[]"}]',
      /no object is Job/,
    ],
    ['a patch outside', 'patches: [{path: ../../x.yaml}]', /leads out/],
    [
      'a missing field',
      'resources: [settings.yaml]\npatches:\n  - target: {kind: ConfigMap}\n    patch: |-\n      - {op: replace, path: /data/b, value: "2"}',
      /\/data\/b of ConfigMap settings is not there/,
    ],
    [
      'a prototype',
      'resources: [settings.yaml]\npatches:\n  - target: {kind: ConfigMap}\n    patch: |-\n      - {op: add, path: /__proto__/a, value: "2"}',
      /is not allowed/,
    ],
    [
      'directives',
      'resources: [settings.yaml]\npatches:\n  - target: {kind: ConfigMap}\n    patch: |-\n      $patch: delete\n      data: {}',
      /\$patch are not supported/,
    ],
    [
      'the same twice',
      'resources: [settings.yaml, settings.yaml]',
      /is there twice/,
    ],
    ['broken YAML', 'resources: [', /kustomization\.yaml: /],
  ])('refuses %s and says where', (_, kustomization, reason) => {
    expect(() => renderKustomization(small(kustomization), 'app')).toThrow(
      reason,
    );
    expect(() => renderKustomization(small(kustomization), 'app')).toThrow(
      /^app\//,
    );
  });

  it('refuses an overlay outside of the files, and one without a kustomization', () => {
    expect(() => renderKustomization(small(''), '../app')).toThrow(/leads out/);
    expect(() => renderKustomization(small(''), 'other')).toThrow(
      'other: there is no kustomization.yaml in it',
    );
  });

  it('cannot be made to work for ever by aliases', () => {
    const bomb = `a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\ne: &e [*d, *d]\nf: [*e, *e]\n`;
    expect(() => renderKustomization(small(bomb), 'app')).toThrow(/alias/i);
  });
});

describe('readManifestFiles', () => {
  const folder = createMockDirectory();

  it('reads manifests alone', async () => {
    folder.setContent({
      'base/a.yaml': 'a',
      'README.md': 'b',
      Kustomization: 'c',
    });
    expect([...(await readManifestFiles(folder.path))].sort()).toEqual([
      ['Kustomization', 'c'],
      ['base/a.yaml', 'a'],
    ]);
  });

  it('refuses links, too much, and a missing folder', async () => {
    folder.setContent({});
    symlinkSync('/etc/passwd', folder.resolve('a.yaml'));
    await expect(readManifestFiles(folder.path)).rejects.toThrow(
      'a.yaml: is a link',
    );
    folder.setContent({});
    symlinkSync('/etc', folder.resolve('base'));
    await expect(readManifestFiles(folder.path)).rejects.toThrow(
      'base: is a link',
    );
    folder.setContent({ 'big.yaml': 'x'.repeat(600_000) });
    await expect(readManifestFiles(folder.path)).rejects.toThrow(/512 KiB/);
    await expect(readManifestFiles(folder.resolve('none'))).rejects.toThrow(
      'no folder deploy/kubernetes',
    );
    mkdirSync(folder.resolve('many'));
    for (let i = 0; i < 101; i++)
      writeFileSync(folder.resolve(`many/${i}.yaml`), '');
    await expect(readManifestFiles(folder.resolve('many'))).rejects.toThrow(
      /more than 100 files/,
    );
  });
});

describe('images', () => {
  it.each([
    ['service', 'service'],
    ['service:1', 'service'],
    ['localhost:5000/a/service', 'localhost:5000/a/service'],
    ['localhost:5000/a/service:1@sha256:ab', 'localhost:5000/a/service'],
  ])('the name of %s is %s', (image, name) => {
    expect(imageName(image)).toBe(name);
  });

  it('are put in by digest, everywhere', () => {
    const objects = renderKustomization(skeletonFiles(), 'overlays/dev');
    setImage(objects, 'service', 'r.example.com:5000/x:v1@sha256:ab');
    const found = JSON.stringify(objects).match(/"image":"[^"]*"/g);
    expect(found).toEqual([
      '"image":"r.example.com:5000/x@sha256:ab"',
      '"image":"r.example.com:5000/x@sha256:ab"',
    ]);
  });
});
