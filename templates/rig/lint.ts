/** Lint of a `template.yaml`: its form, its steps, and what both say of each other. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import type { Action } from './backend';
import { fetchBaseOf, fetchSteps, filesOfStep } from './render';
import { assert, equal, type Report } from './report';
import {
  fieldsOf,
  fillIn,
  optionSets,
  readTemplate,
  templateFile,
  type Answers,
  type Field,
  type Step,
} from './templates';

/** A form with more fields is not filled in by choice. */
const MOST_FIELDS = 8;

const WORDS = [
  'a b',
  'Wallet',
  'a'.repeat(64),
  '../x',
  '..',
  'a/../b',
  '${{ x }}',
  '{{x}}',
  '{%x%}',
  '$(id)',
  '`id`',
  'a;b',
];
const prefixed = (prefix: string) => WORDS.map(word => prefix + word);

/** What the fields that all golden templates have in common must take and refuse. */
const EXAMPLES: Record<string, { good: unknown[]; bad: unknown[] }> = {
  name: {
    good: ['abc', 'wallet-transactions', `a${'b'.repeat(62)}`],
    bad: [
      ...WORDS,
      'a|b',
      'a&b',
      'a>b',
      'a\nb',
      'a\u0000b',
      '-abc',
      'abc-',
      '1abc',
      'ab',
      '',
      'ä-service',
      'a_b',
      'a.b',
      7,
      null,
    ],
  },
  owner: {
    good: ['group:default/ledger', 'group:acme/team-a_1.x'],
    bad: [
      ...WORDS,
      ...prefixed('group:default/').filter(
        ref => ref.length > 90 || !ref.endsWith('a'.repeat(64)),
      ),
      'user:default/ana',
      'ledger',
    ],
  },
  description: {
    good: ["Keeps our customers' wallets (USD, EUR) - 100 %.", 'Zoë’s 漢字'],
    bad: [
      'ab',
      'x'.repeat(201),
      '../../etc',
      '${{ x }}',
      '{{ x }}',
      '{% x %}',
      '$(id)',
      '`id`',
      'a; b',
      'a | b',
      'a & b',
      '<b>',
      'a\nb',
      'a\\b',
      'a\u0000bc',
    ],
  },
  businessModel: {
    good: ['domain:default/payments'],
    bad: [
      ...WORDS,
      'domain:default/A B',
      'domain:default/../x',
      'group:default/x',
    ],
  },
  criticalPathStep: {
    good: [
      { criticalPath: 'criticalpath:default/wallet-top-up', step: 'post' },
    ],
    bad: [
      ...WORDS.map(step => ({ criticalPath: 'criticalpath:default/x', step })),
      ...WORDS.map(name => ({
        criticalPath: `criticalpath:default/${name}`,
        step: 'post',
      })).filter(({ criticalPath }) => !/\/a+$/.test(criticalPath)),
      { criticalPath: 'criticalpath:default/x' },
      { criticalPath: 'criticalpath:default/x', step: 'post', more: 1 },
      'post',
    ],
  },
};

/** Free text needs a pattern and an end; a choice needs a default. */
function checkField(name: string, field: Field, required: boolean): void {
  assert(
    field.title && field.description,
    `${name}: title or description is missing`,
  );
  if (field.enum) {
    assert(
      field.enum.includes(field.default),
      `${name}: the default must be one of the choices`,
    );
    return;
  }
  assert(required, `${name}: is not required and has no default`);
  const parts: Field[] =
    field.type === 'object' ? Object.values(field.properties) : [field];
  for (const part of parts)
    assert(
      part.pattern && part.maxLength && part.title,
      `${name}: pattern, maxLength or title is missing`,
    );
}

async function checkForm(
  report: Report,
  template: string,
  root: string,
): Promise<void> {
  const entity = readTemplate(template, root);
  const fields = fieldsOf(entity);
  // As the portal's form does: patterns are Unicode, ui:* keywords mean nothing to the validator.
  const ajv = new Ajv({ strict: false, allErrors: true });

  await report.check(`${template}: form: short, explained and bounded`, () => {
    const names = Object.keys(fields);
    assert(
      names.length <= MOST_FIELDS,
      `${names.length} fields; ${MOST_FIELDS} are the most`,
    );
    for (const [name, field] of Object.entries(fields))
      checkField(
        name,
        field,
        entity.spec.parameters.some(page => page.required?.includes(name)),
      );
  });
  await report.check(
    `${template}: form: takes good values and refuses bad ones`,
    () => {
      for (const [name, field] of Object.entries(fields)) {
        const validate = ajv.compile(field);
        const examples = field.enum
          ? { good: field.enum, bad: [...WORDS, '', null, 'GITHUB'] }
          : EXAMPLES[name];
        assert(examples, `${name}: the rig has no values to try`);
        for (const value of examples.good)
          assert(
            validate(value),
            `${name}: refuses ${JSON.stringify(value)}: ${ajv.errorsText(
              validate.errors,
            )}`,
          );
        for (const value of examples.bad)
          assert(!validate(value), `${name}: takes ${JSON.stringify(value)}`);
      }
    },
  );
  await report.check(
    `${template}: form: the name is that of the local runtime`,
    () => {
      const source = readFileSync(
        path.join(__dirname, '../../plugins/provisioning-common/src/api.ts'),
        'utf8',
      );
      assert(
        source.includes(`SERVICE_NAME_PATTERN = /${fields.name?.pattern}/`),
        'differs from SERVICE_NAME_PATTERN',
      );
    },
  );
}

function checkStep(step: Step, actions: Action[]): void {
  const action = actions.find(candidate => candidate.id === step.action);
  assert(action, `step ${step.id}: there is no action ${step.action}`);
  const { properties, required = [] } = action.schema?.input ?? {};
  const given = Object.keys(step.input ?? {});
  for (const key of required)
    assert(given.includes(key), `step ${step.id}: input ${key} is missing`);
  if (properties)
    for (const key of given)
      assert(
        properties[key],
        `step ${step.id}: ${step.action} has no input ${key}`,
      );
}

async function checkSteps(
  report: Report,
  template: string,
  root: string,
  actions: Action[],
): Promise<void> {
  const entity = readTemplate(template, root);
  const { steps } = entity.spec;
  await report.check(
    `${template}: steps: actions exist and are told what they need`,
    () => steps.forEach(step => checkStep(step, actions)),
  );
  await report.check(`${template}: steps: what they read exists`, () => {
    const text = readFileSync(templateFile(template, root), 'utf8');
    const fields = fieldsOf(entity);
    const used = new Set<string>();
    for (const [, field] of text.matchAll(/parameters\.(\w+)/g)) {
      assert(fields[field], `there is no field ${field}`);
      used.add(field);
    }
    for (const field of Object.keys(fields))
      assert(used.has(field), `nobody reads the field ${field}`);
    for (const [index, step] of steps.entries()) {
      const before = steps.slice(0, index).map(({ id }) => id);
      for (const [, id] of JSON.stringify(step).matchAll(/steps\.(\w+)\./g))
        assert(
          before.includes(id),
          `step ${step.id} reads the step ${id}, which does not come before it`,
        );
    }
    for (const [, id] of JSON.stringify(entity.spec.output ?? {}).matchAll(
      /steps\.(\w+)\./g,
    ))
      assert(
        steps.some(step => step.id === id),
        `the output reads the step ${id}, which does not exist`,
      );
  });
  await report.check(
    `${template}: steps: preflight, fetch, publish, deploy, register, in this order`,
    () => {
      const order = steps
        .map(step => step.action.replace(/^fetch:.*/, 'fetch'))
        .join(' ');
      assert(
        /^rocket:preflight( fetch)+ rocket:publish:local( rocket:\S+)* rocket:deploy(:local)?( rocket:\S+)* rocket:register( rocket:\S+)*$/.test(
          order,
        ),
        `the order is ${order}`,
      );
    },
  );
  await report.check(
    `${template}: steps: each file comes from one step, and each source is there`,
    () => {
      for (const options of optionSets(entity)) {
        const owners = new Map<string, string>();
        for (const step of fetchSteps(
          template,
          answers(entity, options),
          root,
        )) {
          const source = path.resolve(
            path.dirname(fetchBaseOf(template, root)),
            step.input.url,
          );
          assert(
            existsSync(source),
            `step ${step.id} reads ${step.input.url}, which is not there`,
          );
          for (const file of filesOfStep(template, step, root)) {
            const other = owners.get(file);
            assert(
              other === undefined,
              `${file} comes from the steps ${other} and ${step.id}`,
            );
            owners.set(file, step.id);
          }
        }
      }
    },
  );
}

const answers = (
  entity: ReturnType<typeof readTemplate>,
  options: Answers,
): Answers => fillIn(entity, options);

/** Everything that can be said of a template without rendering it. */
export async function lintTemplate(
  report: Report,
  template: string,
  root: string,
  actions: Action[],
): Promise<void> {
  await report.check(
    `${template}: says who owns it and which version it is`,
    () => {
      const { apiVersion, kind, metadata, spec } = readTemplate(template, root);
      equal(
        [apiVersion, kind, metadata.name],
        ['scaffolder.backstage.io/v1beta3', 'Template', template],
        'apiVersion, kind and name',
      );
      assert(metadata.title && metadata.description, 'title or description');
      assert(/^group:[a-z0-9-]+\/[a-z0-9-]+$/.test(spec.owner ?? ''), 'owner');
      assert(spec.type, 'type');
      const version = metadata.annotations?.['backstage.io/template-version'];
      assert(
        /^\d+\.\d+\.\d+$/.test(version ?? ''),
        'backstage.io/template-version must be like 1.2.3',
      );
      for (const { input } of spec.steps) {
        if (input?.values?.version)
          equal(input.values.version, version, 'the version in the steps');
        if (input?.values?.template)
          equal(input.values.template, template, 'the template in the steps');
      }
    },
  );
  await checkForm(report, template, root);
  await checkSteps(report, template, root, actions);
}
