import path from 'node:path';
import { InputFileError, UsageError } from '../errors';
import { digestOf, readBounded } from '../files';
import {
  ARTIFACT_TYPES,
  type ArtifactReport,
  type SbomReference,
} from '../types';
import { MAX_REPORT_BYTES } from './coverage';
import { readXml, rootOf } from './xml';

/** Reads a CycloneDX bill of materials, JSON or XML. */
export function readSbom(file: string, shown = file): SbomReference {
  const read = readBounded(file, MAX_REPORT_BYTES, shown);
  const text = read.text();
  const reference = { format: 'cyclonedx' as const, digest: read.digest() };
  if (rootOf(text) === 'bom') {
    let components = 0;
    readXml(text, shown, {
      open(name, _, at) {
        // Not the one in <metadata>, which is the thing itself.
        if (name === 'component' && at[1] === 'components') components += 1;
      },
    });
    return { ...reference, components };
  }
  let bom: any;
  try {
    bom = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new InputFileError(shown, 'is neither JSON nor XML of CycloneDX');
  }
  if (bom?.bomFormat !== 'CycloneDX')
    throw new InputFileError(
      shown,
      `bomFormat must be CycloneDX, was ${JSON.stringify(bom?.bomFormat)}`,
    );
  let components = 0;
  const open: any[] = [bom.components];
  for (let list = open.pop(); open.length > 0 || list; list = open.pop()) {
    if (list !== undefined && !Array.isArray(list))
      throw new InputFileError(shown, 'components must be a list');
    components += list?.length ?? 0;
    for (const component of list ?? [])
      if (component?.components) open.push(component.components);
  }
  return { ...reference, components };
}

const IMAGE = /^([^@\s]+?)(?::([\w][\w.-]{0,127}))?@(sha256:[0-9a-f]{64})$/;

/** An image by digest, as `docker inspect` gives it: `name[:tag]@sha256:…`. */
export function parseImage(text: string, from: string): ArtifactReport {
  const match = IMAGE.exec(text.trim());
  if (!match)
    throw new UsageError(
      `${from} must name an image by its digest (name[:tag]@sha256:…), was ${JSON.stringify(
        text.trim().slice(0, 200),
      )}`,
    );
  return {
    type: 'container-image',
    name: match[1],
    digest: match[3],
    ...(match[2] ? { tag: match[2] } : {}),
  };
}

/** The image that a file names. */
export function readImage(file: string, shown = file): ArtifactReport {
  return parseImage(readBounded(file, 4096, shown).text(), shown);
}

/** `[TYPE=]FILE`: a file whose digest is taken; the type is `file` when it is left out. */
export function readArtifact(text: string, cwd: string): ArtifactReport {
  const match = /^([a-z-]+)=(.+)$/.exec(text);
  const type = match ? match[1] : 'file';
  if (!ARTIFACT_TYPES.includes(type as any) || type === 'container-image')
    throw new UsageError(
      `--artifact must be [TYPE=]FILE with the type package, archive or file, was ${JSON.stringify(
        text,
      )}`,
    );
  const file = match ? match[2] : text;
  return {
    type: type as ArtifactReport['type'],
    name: path.basename(file),
    digest: digestOf(path.resolve(cwd, file), file),
  };
}
