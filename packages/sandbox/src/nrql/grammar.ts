/** Words that cannot be an attribute's name without backticks. */
export const RESERVED_WORDS = [
  'SELECT',
  'FROM',
  'WHERE',
  'FACET',
  'TIMESERIES',
  'SINCE',
  'UNTIL',
  'LIMIT',
  'OFFSET',
  'ORDER',
  'EXTRAPOLATE',
  'COMPARE',
  'WITH',
  'SLIDE',
  'JOIN',
  'AS',
  'AND',
  'OR',
  'NOT',
  'IN',
  'LIKE',
  'RLIKE',
  'IS',
  'NULL',
  'TRUE',
  'FALSE',
];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS: Record<string, number> = {
  millisecond: 1,
  second: SECOND,
  minute: MINUTE,
  hour: HOUR,
  day: DAY,
  week: 7 * DAY,
  // As New Relic documents them.
  month: 30 * DAY,
  quarter: 91 * DAY,
  year: 365 * DAY,
};

/** Milliseconds by unit, singular and plural. */
export const TIME_UNITS: Record<string, number> = Object.fromEntries(
  Object.entries(UNITS).flatMap(([name, ms]) => [
    [name, ms],
    [`${name}s`, ms],
  ]),
);

/** Days by name; Sunday first, as `Date.getUTCDay` counts. */
export const WEEKDAYS = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
];

/** Choice of literals, the longest first, since the first that fits wins. */
function words(choices: string[]): string {
  return [...choices]
    .sort((a, b) => b.length - a.length)
    .map(word => `"${word}"i`)
    .join(' / ');
}

/**
 * The subset of NRQL that the sandbox answers, as a PEG for peggy. What is not
 * here is a syntax error. Names and counts of arguments are checked afterwards
 * (see plan.ts), so a call is parsed whatever its name.
 */
export const NRQL_GRAMMAR = String.raw`
Query = _ clauses:Clause|1.., _| _ EndOfInput { return clauses; }

Clause
  = SELECT _ items:SelectItems { return { clause: 'SELECT', at: range().start, items }; }
  / FROM _ types:EventTypes { return { clause: 'FROM', at: range().start, types }; }
  / WHERE _ condition:Condition { return { clause: 'WHERE', at: range().start, condition }; }
  / FACET _ CASES _ "(" _ cases:Cases _ ")" { return { clause: 'FACET', at: range().start, cases }; }
  / FACET _ items:FacetItems { return { clause: 'FACET', at: range().start, items }; }
  / TIMESERIES step:(_ @Step)? { return { clause: 'TIMESERIES', at: range().start, step: step ?? { kind: 'auto' } }; }
  / SINCE _ time:Time { return { clause: 'SINCE', at: range().start, time }; }
  / UNTIL _ time:Time { return { clause: 'UNTIL', at: range().start, time }; }
  / LIMIT _ limit:(MAX { return 'max'; } / Integer) { return { clause: 'LIMIT', at: range().start, limit }; }
  / EXTRAPOLATE { return { clause: 'EXTRAPOLATE', at: range().start }; }

SelectItems = SelectItem|1.., Comma|
SelectItem
  = "*" { return { star: true, at: range().start, text: '*' }; }
  / source:SelectSource alias:Alias? { return { ...source, alias: alias ?? undefined }; }
SelectSource = expr:Additive { return { expr, at: range().start, text: text().trim() }; }

EventTypes = @EventType|1.., Comma|
EventType = Identifier

FacetItems = FacetItem|1.., Comma|
FacetItem = expr:Additive alias:Alias? { return { expr, at: range().start, alias: alias ?? undefined }; }
Cases = Case|1.., Comma|
Case = WHERE _ source:CaseSource alias:Alias? { return { ...source, alias: alias ?? undefined }; }
CaseSource = condition:Condition { return { condition, text: text().trim() }; }

Alias = _ AS _ @(String / Identifier)

Step
  = AUTO { return { kind: 'auto' }; }
  / MAX { return { kind: 'max' }; }
  / duration:Duration { return { kind: 'step', ms: duration.ms, at: range().start }; }

Time
  = amount:Integer _ unit:Unit _ AGO { return { kind: 'ago', ms: amount * unit.ms, text: amount + ' ' + unit.text + ' AGO' }; }
  / NOW { return { kind: 'now', text: 'NOW' }; }
  / day:Day { return { kind: 'day', day, text: text() }; }
  / epoch:Integer { return { kind: 'epoch', epoch, text: text() }; }
  / value:String { return { kind: 'date', value, at: range().start, text: value }; }

Day = word:(${words([
  'today',
  'yesterday',
  ...WEEKDAYS,
])}) !IdentifierPart { return word.toLowerCase(); }

Duration = amount:Number _ unit:Unit { return { kind: 'duration', amount, unit: unit.text, ms: amount * unit.ms, at: range().start }; }
Unit = word:(${words(Object.keys(TIME_UNITS))}) !IdentifierPart
  { return { text: word, ms: options.units[word.toLowerCase()] }; }

Condition = first:And rest:(_ OR _ @And)* { return rest.length ? { type: 'or', terms: [first, ...rest] } : first; }
And = first:Not rest:(_ AND _ @Not)* { return rest.length ? { type: 'and', terms: [first, ...rest] } : first; }
Not
  = NOT _ term:Not { return { type: 'not', term }; }
  / Comparison
  / "(" _ @Condition _ ")"

Comparison
  = left:Additive _ op:Operator _ right:Additive { return { type: 'compare', op, left, right, at: range().start }; }
  / left:Additive _ not:(@NOT _)? IN _ "(" _ values:Literal|1.., Comma| _ ")" { return { type: 'in', left, values, negated: !!not }; }
  / left:Additive _ not:(@NOT _)? LIKE _ pattern:String { return { type: 'like', left, pattern, negated: !!not }; }
  / left:Additive _ IS _ not:(@NOT _)? value:(NULL { return null; } / TRUE { return true; } / FALSE { return false; })
    { return { type: 'is', left, value, negated: !!not }; }

Operator
  = "<=" / ">=" / "!=" / "<>" { return '!='; } / "<" / ">" / "="

Literal = String / SignedNumber
SignedNumber = sign:"-"? _ value:Number { return sign ? -value : value; }

Additive
  = first:Multiplicative rest:(_ op:$[+-] _ right:Multiplicative { return { op, right }; })*
    { return rest.reduce((left, r) => ({ type: 'arithmetic', op: r.op, left, right: r.right, at: left.at }), first); }
Multiplicative
  = first:Unary rest:(_ op:$[*/] _ right:Unary { return { op, right }; })*
    { return rest.reduce((left, r) => ({ type: 'arithmetic', op: r.op, left, right: r.right, at: left.at }), first); }
Unary
  = "-" _ operand:Unary
    { return operand.type === 'number'
        ? { ...operand, value: -operand.value, at: range().start }
        : { type: 'arithmetic', op: '-', left: { type: 'number', value: 0, at: range().start }, right: operand, at: range().start }; }
  / Primary
Primary
  = value:Number { return { type: 'number', value, at: range().start }; }
  / value:String { return { type: 'string', value, at: range().start }; }
  / name:CallName _ "(" _ args:Arguments _ ")" { return { type: 'call', name: name.toLowerCase(), args, at: range().start }; }
  / name:Identifier { return { type: 'attribute', name, at: range().start }; }
  / "(" _ @Additive _ ")"

CallName = !Reserved @$([a-z_]i [a-z0-9_]i*)
Arguments = Argument|.., Comma|
Argument
  = "*" { return { kind: 'star', at: range().start }; }
  / WHERE _ condition:Condition { return { kind: 'where', condition, at: range().start }; }
  / label:$([a-z]i+) _ ":" _ expr:Additive { return { kind: 'expr', label: label.toLowerCase(), expr, at: range().start }; }
  / Duration
  / expr:Additive { return { kind: 'expr', expr, at: range().start }; }

Identifier
  = "${'`'}" @$[^${'`'}]+ "${'`'}"
  / !Reserved @$([a-z_]i IdentifierPart*)
IdentifierPart = [a-z0-9_.]i

String = "'" characters:(("\\" @.) / [^'\\])* "'" { return characters.join(''); }
Number = $(([0-9]+ ("." [0-9]+)? / "." [0-9]+) ([eE] [+-]? [0-9]+)?) !IdentifierPart { return Number(text()); }
Integer = $[0-9]+ !IdentifierPart { return Number(text()); }

Comma = _ "," _
_ "white space" = ([ \t\r\n] / "--" [^\n]* / "//" [^\n]* / "/*" (!"*/" .)* "*/")*
EndOfInput = !.

Reserved
  = word:$([a-z]i+) !IdentifierPart &{ return options.reserved.includes(word.toUpperCase()); }

${[
  'SELECT',
  'FROM',
  'WHERE',
  'FACET',
  'CASES',
  'TIMESERIES',
  'SINCE',
  'UNTIL',
  'LIMIT',
  'EXTRAPOLATE',
  'AUTO',
  'MAX',
  'AS',
  'AND',
  'OR',
  'NOT',
  'IN',
  'LIKE',
  'IS',
  'NULL',
  'TRUE',
  'FALSE',
  'AGO',
  'NOW',
]
  .map(word => `${word} = "${word}"i !IdentifierPart`)
  .join('\n')}
`;
