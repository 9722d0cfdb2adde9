import { checkCatalog } from '../catalog/check';
import { collect } from '../catalog/collect';
import { formatRef, parseRef, refOf } from '../catalog/refs';
import { type Call, rootOf, send, surroundingsOf } from '../context';
import { CiError, EXIT, UsageError } from '../errors';
import { Git } from '../git';
import { listOf, type Options, PUSH } from '../options';
import { API_FORMATS, type ApiDocumentReport, type Entity } from '../types';

export const OPTIONS: Options = {
  ...PUSH,
  complete: {
    type: 'boolean',
    help: 'these are all entities of the repository: earlier ones that are missing are gone',
  },
  removed: {
    type: 'string',
    multiple: true,
    value: 'REF',
    help: 'an entity that the repository gave up; repeatable',
  },
  'no-documents': {
    type: 'boolean',
    help: 'leave out the API documents, which are compared with the version before',
  },
};

/** The documents of the APIs, with the component of the push that provides each of them. */
export function apiDocuments(entities: Entity[]): ApiDocumentReport[] {
  const provider = new Map<string, string>();
  for (const entity of entities) {
    const apis = entity.spec?.providesApis;
    if (entity.kind !== 'Component' || !Array.isArray(apis)) continue;
    for (const api of apis) {
      const ref =
        typeof api === 'string'
          ? parseRef(api, { kind: 'api', namespace: entity.metadata.namespace })
          : undefined;
      const key = ref && formatRef(ref);
      if (key && !provider.has(key)) provider.set(key, refOf(entity)!);
    }
  }
  return entities.flatMap(entity => {
    const api = refOf(entity)!;
    const component = provider.get(api);
    const { type, definition } = entity.spec ?? {};
    if (
      entity.kind !== 'API' ||
      !component ||
      typeof definition !== 'string' ||
      !API_FORMATS.includes(type as any)
    )
      return [];
    return [
      {
        api,
        component,
        format: type as ApiDocumentReport['format'],
        definition,
      },
    ];
  });
}

/** Pushes the repository's entities and API documents. */
export async function register(call: Call): Promise<number> {
  const { values, output } = call;
  const git = new Git(call.cwd);
  const root = rootOf(call, git);
  if (values.complete && call.positionals.length > 0)
    throw new UsageError(
      '--complete speaks of the whole repository; name no files with it',
    );
  const removed = listOf(values, 'removed').map(text => {
    const ref = parseRef(text, { kind: 'component' });
    if (!ref)
      throw new UsageError(
        `--removed must be an entity ref such as component:default/ledger, was ${JSON.stringify(
          text,
        )}`,
      );
    return formatRef(ref);
  });
  const collected = collect(call.positionals, call.cwd, root);
  const checked = checkCatalog(collected, {
    root,
    required: [],
    membership: 'off',
  });
  const errors = checked.problems.filter(p => p.severity === 'error');
  if (errors.length > 0) {
    for (const problem of errors) output.problem(problem);
    throw new CiError(
      `${errors.length} ${
        errors.length === 1 ? 'error' : 'errors'
      } in the catalog files; nothing is registered`,
      EXIT.problems,
    );
  }
  const documents = values['no-documents']
    ? []
    : apiDocuments(checked.entities);
  return send(call, git, {
    source: surroundingsOf(call, git).source,
    entities: checked.entities,
    ...(values.complete ? { complete: true } : {}),
    ...(removed.length > 0 ? { removed } : {}),
    ...(documents.length > 0 ? { documents } : {}),
  });
}
