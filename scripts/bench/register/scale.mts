/** The same registry, with as many services as a large bank has: rows are multiplied in the tables of the registry and of the catalog. */
import type { Side } from './sides.mts';

/** Copies all rows of a table that belong to the pushed services; named columns get another expression. */
async function multiply(
  side: Side,
  schema: string,
  table: string,
  copies: number,
  where: string,
  expressions: Record<string, string>,
): Promise<void> {
  const columns = (
    await side.sql(
      `SELECT column_name AS name, column_default AS standard FROM information_schema.columns
       WHERE table_schema = '${schema}' AND table_name = '${table}' ORDER BY ordinal_position`,
    )
  ).filter(
    ({ standard }) => !String(standard ?? '').startsWith('nextval('),
  ) as { name: string }[];
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  const values = columns
    .map(({ name }) => expressions[name] ?? `t."${name}"`)
    .join(', ');
  await side.sql(
    `INSERT INTO "${schema}"."${table}" (${names})
     SELECT ${values} FROM "${schema}"."${table}" t, generate_series(1, ${copies}) copy WHERE ${where}`,
  );
}

/** Another service of the same content: its name everywhere it stands. */
const renamed = (column: string) =>
  `replace(t."${column}", 'service-', 'copy' || copy || '-service-')`;
const otherRepository = (column: string) =>
  `replace(t."${column}", 'bank/repo-', 'copy' || copy || '/repo-')`;
const otherId = `md5(t.entity_id || copy)`;

/** Adds `copies` times the pushed services, as if each had been pushed and taken over by the catalog. Answers how many the registry has. */
export async function multiplyServices(
  side: Side,
  copies: number,
): Promise<number> {
  // Those of the first burst; what other parts pushed has longer numbers.
  const pushed = `t.entity_ref ~ '^component:default/service-[0-9]{1,5}$'`;
  await multiply(
    side,
    'ci-registry',
    'repositories',
    copies,
    `t.repository ~ '/repo-[0-9]{1,5}$'`,
    { repository: otherRepository('repository') },
  );
  await multiply(side, 'ci-registry', 'entities', copies, pushed, {
    entity_ref: renamed('entity_ref'),
    entity: renamed('entity'),
    repository: otherRepository('repository'),
    source: otherRepository('source'),
    changed_by: otherRepository('changed_by'),
    content_hash: `md5(t.content_hash || copy) || md5(copy || t.content_hash)`,
    applied_version: 't.version',
  });
  await multiply(side, 'ci-registry', 'entity_changes', copies, pushed, {
    entity_ref: renamed('entity_ref'),
    changes: renamed('changes'),
    source: otherRepository('source'),
  });
  await multiply(side, 'catalog', 'refresh_state', copies, pushed, {
    entity_id: otherId,
    entity_ref: renamed('entity_ref'),
    unprocessed_entity: renamed('unprocessed_entity'),
    processed_entity: renamed('processed_entity'),
    next_update_at: `now() + interval '1 day'`,
  });
  await multiply(side, 'catalog', 'final_entities', copies, pushed, {
    entity_id: otherId,
    entity_ref: renamed('entity_ref'),
    final_entity: renamed('final_entity'),
  });
  await multiply(
    side,
    'catalog',
    'refresh_state_references',
    copies,
    `t.target_entity_ref ~ '^component:default/service-[0-9]{1,5}$' AND t.source_key IS NOT NULL`,
    { target_entity_ref: renamed('target_entity_ref') },
  );
  // What a server does by and by after so many new rows is not part of the next call.
  await side.sql('VACUUM ANALYZE');
  await side.sql('CHECKPOINT');
  const [row] = await side.sql(
    `SELECT count(*)::int AS entities FROM "ci-registry".entities`,
  );
  return Number(row.entities);
}
