/** What a folder of golden templates holds, and what a form of theirs may be filled in with. */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Entity } from '@backstage/catalog-model';
import { parse } from 'yaml';

/** The folder that is checked; the rig's own tests check broken copies of it. */
export const TEMPLATES = path.resolve(__dirname, '..');

export type Step = {
  id: string;
  name: string;
  action: string;
  if?: string | boolean;
  input: Record<string, any>;
};

/** One field of a form: JSON Schema with `ui:` keywords. */
export type Field = Record<string, any>;

export type TemplateEntity = Entity & {
  spec: {
    owner?: string;
    type?: string;
    parameters: {
      title?: string;
      required?: string[];
      properties: Record<string, Field>;
    }[];
    steps: Step[];
    output?: unknown;
  };
};

/** Answers of a form, or of one option set. */
export type Answers = Record<string, unknown>;

/** Names of the templates that the catalog is told of. */
export function templateNames(root = TEMPLATES): string[] {
  const location = parse(readFileSync(path.join(root, 'all.yaml'), 'utf8'));
  return (location.spec.targets as string[]).map(target =>
    path.basename(path.dirname(target)),
  );
}

export function templateFile(name: string, root = TEMPLATES): string {
  return path.join(root, name, 'template.yaml');
}

/** The parsed `template.yaml`. */
export function readTemplate(name: string, root = TEMPLATES): TemplateEntity {
  return parse(readFileSync(templateFile(name, root), 'utf8'));
}

/** All fields of the form by name. */
export function fieldsOf(template: TemplateEntity): Record<string, Field> {
  return Object.assign(
    {},
    ...template.spec.parameters.map(page => page.properties),
  );
}

/** What people answer as the tour does it; the rest of a form has defaults. */
const KNOWN: Record<string, unknown> = {
  name: 'wallet-transactions',
  owner: 'group:default/ledger',
  description:
    'Keeps the wallets of our customers and moves money between them.',
  businessModel: 'domain:default/payments',
  criticalPathStep: {
    criticalPath: 'criticalpath:default/wallet-top-up',
    step: 'post',
  },
};

/** A form that was filled in, with what the portal's form fills in by itself. Throws naming a required field without an answer. */
export function fillIn(template: TemplateEntity, given: Answers = {}): Answers {
  const fields = fieldsOf(template);
  for (const name of Object.keys(given))
    if (!fields[name])
      throw new Error(`${template.metadata.name} has no field ${name}`);
  const answers: Answers = {};
  for (const [name, field] of Object.entries(fields)) {
    const answer = given[name] ?? field.default ?? KNOWN[name];
    if (answer !== undefined) answers[name] = answer;
    else if (
      template.spec.parameters.some(page => page.required?.includes(name))
    )
      throw new Error(`${template.metadata.name} needs an answer for ${name}`);
  }
  return answers;
}

/** Every combination of what the form lets people choose from; the form's defaults come first. */
export function optionSets(template: TemplateEntity): Answers[] {
  let sets: Answers[] = [{}];
  for (const [name, field] of Object.entries(fieldsOf(template))) {
    const choices: unknown[] | undefined =
      field.enum ?? (field.type === 'boolean' ? [false, true] : undefined);
    if (!choices) continue;
    const ordered = [
      ...choices.filter(choice => choice === field.default),
      ...choices.filter(choice => choice !== field.default),
    ];
    sets = sets.flatMap(set =>
      ordered.map(choice => ({ ...set, [name]: choice })),
    );
  }
  return sets;
}

/** `ci=github, broker=log` */
export function describeOptions(options: Answers): string {
  return (
    Object.entries(options)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ') || 'no options'
  );
}

/** Files below a folder, sorted; what was installed or built there does not count. */
export function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter(
      file => !/^(node_modules|coverage|ci-out|\.data|\.git)\//.test(file),
    )
    .sort();
}

/** Copies what templates are made of, without what checks them. */
export function copyTemplates(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    filter: source => {
      const [top] = path.relative(from, source).split(path.sep);
      return (
        !['rig', 'conformance'].includes(top) &&
        path.basename(source) !== 'node_modules'
      );
    },
  });
}
