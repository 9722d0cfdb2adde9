import peggy from 'peggy';
import { like } from '../nrql/evaluate';
import { nerdGraphError } from './errors';

/** What can be searched for: the properties of an entity and its tags. */
export interface SearchableEntity {
  properties: Record<string, string>;
  /** By key in lower case. */
  tags: Map<string, string[]>;
}

type Term =
  | { type: 'and'; terms: Term[] }
  | { type: 'is'; field: Field; values: string[] }
  | { type: 'like'; field: Field; pattern: string };
type Field = { tag: string } | { property: string };

const GRAMMAR = String.raw`
Query = _ first:Term rest:(_ AND _ @Term)* _ !. { return { type: 'and', terms: [first, ...rest] }; }
Term
  = field:Field _ "=" _ value:Value { return { type: 'is', field, values: [value] }; }
  / field:Field _ IN _ "(" _ values:Value|1.., _ "," _| _ ")" { return { type: 'is', field, values }; }
  / field:Field _ LIKE _ pattern:Value { return { type: 'like', field, pattern }; }
  / "(" _ first:Term rest:(_ AND _ @Term)* _ ")" { return { type: 'and', terms: [first, ...rest] }; }
Field
  = "${'`'}tags." key:$[^${'`'}]+ "${'`'}" { return { tag: key }; }
  / "tags."i "${'`'}" key:$[^${'`'}]+ "${'`'}" { return { tag: key }; }
  / "tags."i key:$[a-z0-9_.-]i+ { return { tag: key }; }
  / name:$[a-z]i+ { return { property: name }; }
Value
  = "'" characters:(("\\" @.) / [^'\\])* "'" { return characters.join(''); }
  / "\"" characters:(("\\" @.) / [^"\\])* "\"" { return characters.join(''); }
  / $[a-z0-9_]i+
AND = "AND"i ![a-z]i
IN = "IN"i ![a-z]i
LIKE = "LIKE"i ![a-z]i
_ = [ \t\r\n]*
`;

const parser = peggy.generate(GRAMMAR);
const PROPERTIES = [
  'id',
  'accountId',
  'name',
  'domain',
  'domainId',
  'type',
  'alertSeverity',
  'reporting',
];

/**
 * Makes a filter of an entity search text: `=`, `IN` and `LIKE` over
 * properties and `tags.<key>`, joined by `AND`; upper and lower case are the
 * same. Throws a GraphQL error for anything else.
 */
export function entityFilter(
  query: string,
): (entity: SearchableEntity) => boolean {
  let term: Term;
  try {
    term = parser.parse(query);
    checkProperties(term);
  } catch (error) {
    throw nerdGraphError(
      `Invalid entity search query: ${(error as Error).message}`,
      'BAD_USER_INPUT',
    );
  }
  return entity => matches(term, entity);
}

function checkProperties(term: Term): void {
  if (term.type === 'and') {
    term.terms.forEach(checkProperties);
  } else if ('property' in term.field && !propertyName(term.field.property)) {
    throw new Error(
      `unknown property '${
        term.field.property
      }'; there are tags.<key> and ${PROPERTIES.join(', ')}`,
    );
  }
}

function propertyName(name: string): string | undefined {
  const wanted = name.toLowerCase();
  return PROPERTIES.find(known => known.toLowerCase() === wanted);
}

function matches(term: Term, entity: SearchableEntity): boolean {
  if (term.type === 'and') return term.terms.every(t => matches(t, entity));
  const { field } = term;
  const values =
    'tag' in field
      ? entity.tags.get(field.tag.toLowerCase()) ?? []
      : [entity.properties[propertyName(field.property)!]];
  if (term.type === 'like') {
    // Without a wildcard LIKE looks for the text anywhere.
    const { pattern } = term;
    const anywhere = pattern.includes('%') ? pattern : `%${pattern}%`;
    return values.some(value => like(anywhere, value));
  }
  const wanted = term.values.map(value => value.toLowerCase());
  return values.some(value => wanted.includes(value.toLowerCase()));
}
