import type { Entity } from '@backstage/catalog-model';
import fc from 'fast-check';
import { parseCriticalPath } from './parse';
import type { Json, WorkflowCheck } from './workflow';
import {
  checkAnswer,
  compareDecimals,
  extractValue,
  fillJson,
  fillPath,
  readPointer,
  startValues,
  variablesIn,
  type WorkflowAnswer,
} from './workflowValues';

type Free = Record<string, any>;

function entity(change: (workflow: Free) => void = () => {}): Entity {
  const workflow: Free = {
    name: 'post',
    target: 'component:ledger',
    variables: {
      amount: { generate: 'amount', min: '1.00', max: '5.00' },
      key: { generate: 'uuid' },
    },
    steps: [
      {
        name: 'open',
        method: 'POST',
        path: '/v1/accounts',
        body: { name: 'check {{key}}' },
        expect: [{ status: 201 }, { json: '/id', exists: true }],
        extract: { account: { json: '/id' } },
      },
      {
        name: 'read',
        target: 'portal',
        path: '/v1/accounts/{{account}}/balance',
        expect: [{ json: '/posted', equals: '{{amount}}' }],
      },
    ],
  };
  change(workflow);
  return {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name: 'posting', namespace: 'money' },
    spec: {
      owner: 'ledger',
      businessModel: 'payments',
      type: 'transaction',
      lifecycle: 'production',
      steps: [{ component: 'ledger' }],
      workflows: [workflow],
    },
  } as Entity;
}

describe('a workflow in a CriticalPath', () => {
  it('gets its defaults and full refs', () => {
    const [workflow] = parseCriticalPath(entity()).workflows;
    expect(workflow).toMatchObject({
      title: 'post',
      criticality: 'required',
      target: 'component:money/ledger',
      everySeconds: 300,
      deadlineMs: 60_000,
      alertAfter: undefined,
    });
    expect(workflow.steps.map(s => [s.target, s.method, s.timeoutMs])).toEqual([
      ['component:money/ledger', 'POST', 10_000],
      ['portal', 'GET', 10_000],
    ]);
    expect(workflow.steps[1].expect[0]).toEqual({ status: '2xx' });
    expect(workflow.steps[0].expect).toHaveLength(2);
  });

  it.each<[string, (w: Free) => void, string]>([
    [
      'a variable of a later step',
      w => (w.steps[0].path = '/v1/{{account}}'),
      'spec.workflows[0].steps[0].path must use only variables of the workflow and of earlier steps; nothing gives {{account}}',
    ],
    [
      'a typing error in an expectation',
      w => (w.steps[1].expect[0].equals = '{{amuont}}'),
      'nothing gives {{amuont}}',
    ],
    [
      'a name for a run variable',
      w => (w.variables.runId = { value: 1 }),
      'spec.workflows[0].variables.runId must have another name',
    ],
    [
      'two steps of one name',
      w => (w.steps[1].name = 'open'),
      'spec.workflows[0].steps[1].name must differ from the name of steps[0], was "open"',
    ],
    [
      'a path to another host',
      w => (w.steps[0].path = '//evil.example/x'),
      'spec.workflows[0].steps[0].path must be a path that begins with one slash',
    ],
    [
      'a whole URL',
      w => (w.steps[0].path = 'https://evil.example/x'),
      'spec.workflows[0].steps[0].path must be a path that begins with one slash',
    ],
    [
      'a target of another kind',
      w => (w.target = 'api:default/x'),
      'spec.workflows[0].target must be the name of a target',
    ],
    [
      'a header that the client sets',
      w => (w.steps[0].headers = { Host: 'evil.example' }),
      'spec.workflows[0].steps[0].headers.Host must be the name of a header, and none of host',
    ],
    [
      'a header of two lines',
      w => (w.steps[0].headers = { a: 'b\r\nc: d' }),
      'spec.workflows[0].steps[0].headers.a must be a text of one line',
    ],
    [
      'a body of a GET',
      w => (w.steps[1].body = {}),
      'spec.workflows[0].steps[1].body must be left out of a GET request',
    ],
    [
      'a check of two things',
      w => (w.steps[0].expect = [{ status: 200, json: '/id', exists: true }]),
      'spec.workflows[0].steps[0].expect[0] must have exactly one of status, latencyMs, header and json',
    ],
    [
      'a check without comparison',
      w => (w.steps[0].expect = [{ json: '/id' }]),
      'must have exactly one of equals',
    ],
    [
      'a bad pointer',
      w => (w.steps[0].extract.account.json = 'id'),
      'spec.workflows[0].steps[0].extract.account.json must be a JSON pointer',
    ],
    [
      'an amount without limits',
      w => delete w.variables.amount.min,
      'spec.workflows[0].variables.amount.min must be given for an amount',
    ],
    [
      'an amount upside down',
      w => (w.variables.amount.max = '0.5'),
      'spec.workflows[0].variables.amount.max must not be below min, was "0.5"',
    ],
    [
      'a schedule of a second',
      w => (w.everySeconds = 1),
      'spec.workflows[0].everySeconds must be a whole number of seconds from 30 to 86400, was 1',
    ],
    [
      'a typing error',
      w => (w.steps[0].expects = []),
      'spec.workflows[0].steps[0] has no field expects',
    ],
  ])('refuses %s', (_, change, message) => {
    expect(() => parseCriticalPath(entity(change))).toThrow(message);
  });
});

const answer = (over: Partial<WorkflowAnswer> = {}): WorkflowAnswer => ({
  status: 201,
  headers: { location: '/v1/accounts/a-1', 'x-state': 'ready, hot' },
  body: JSON.stringify({
    id: 'a-1',
    posted: '10.50',
    version: 3,
    tags: ['a', 'b'],
    nothing: null,
    'a/b': { '~': 1 },
  }),
  latencyMs: 120.4,
  ...over,
});

describe('checkAnswer', () => {
  it.each<[WorkflowCheck, boolean, string, string]>([
    [{ status: 201 }, true, 'status is 201', '201'],
    [{ status: [200, '4xx'] }, false, 'status is 200 or 4xx', '201'],
    [{ status: '2xx' }, true, 'status is 2xx', '201'],
    [{ latencyMs: 120 }, false, 'answered within 120 ms', '120 ms'],
    [{ latencyMs: 121 }, true, 'answered within 121 ms', '120 ms'],
    [
      { header: 'Location', startsWith: '/v1/' },
      true,
      'header Location starts with "/v1/"',
      '/v1/accounts/a-1',
    ],
    [
      { header: 'x-none', exists: false },
      true,
      'header x-none does not exist',
      'missing',
    ],
    [{ json: '/id', equals: 'a-1' }, true, 'json /id equals "a-1"', '"a-1"'],
    [{ json: '/version', equals: '3' }, false, 'json /version equals "3"', '3'],
    [
      { json: '/posted', atLeast: '10.5' },
      true,
      'json /posted is at least "10.5"',
      '"10.50"',
    ],
    [
      { json: '/posted', atMost: 10.49 },
      false,
      'json /posted is at most 10.49',
      '"10.50"',
    ],
    [{ json: '/id', atLeast: 1 }, false, 'json /id is at least 1', '"a-1"'],
    [
      { json: '/tags', contains: 'b' },
      true,
      'json /tags contains "b"',
      '["a","b"]',
    ],
    [
      { json: '/none', notEquals: 1 },
      false,
      'json /none differs from 1',
      'missing',
    ],
    [{ json: '/nothing', exists: true }, true, 'json /nothing exists', 'null'],
    [{ json: '/a~1b/~0', equals: 1 }, true, 'json /a~1b/~0 equals 1', '1'],
    [{ json: '/id', equals: '{{id}}' }, true, 'json /id equals "a-1"', '"a-1"'],
  ])('%j', (check, passed, text, found) => {
    expect(checkAnswer(check, answer(), { id: 'a-1' })).toEqual({
      check: text,
      passed,
      found,
    });
  });

  it.each([
    ['{"id":', 'the answer is not JSON'],
    ['', 'the answer is empty'],
  ])(
    'never passes on the body %j, not even for a missing value',
    (body, found) => {
      expect(
        checkAnswer({ json: '/id', exists: false }, answer({ body }), {}),
      ).toMatchObject({ passed: false, found });
    },
  );
});

describe('values', () => {
  it('extracts from body and headers, and says what is missing', () => {
    expect(extractValue({ json: '/version' }, answer())).toBe(3);
    expect(
      extractValue({ header: 'location', after: '/accounts/' }, answer()),
    ).toBe('a-1');
    expect(() => extractValue({ json: '/none' }, answer())).toThrow(
      'the answer has nothing at /none',
    );
    expect(() => extractValue({ header: 'x' }, answer())).toThrow(
      'the answer has no header x',
    );
    expect(() =>
      extractValue({ header: 'location', after: '/cards/' }, answer()),
    ).toThrow('the header location does not hold "/cards/"');
    expect(() => extractValue({ json: '/id' }, answer({ body: '<' }))).toThrow(
      'the answer is not JSON',
    );
  });

  it('keeps the type of a text that is one variable, and only of that', () => {
    const values = { n: 3, on: true, list: [1] };
    expect(
      fillJson(
        { a: '{{ n }}', b: 'n={{n}}', c: ['{{on}}', 1], d: '{{list}}' },
        values,
      ),
    ).toEqual({ a: 3, b: 'n=3', c: [true, 1], d: [1] });
    expect(() => fillJson('{{toString}}', {})).toThrow(
      'the variable toString has no value',
    );
    expect(variablesIn({ '{{a}}': ['{{b}}{{ c }}'] })).toEqual(['a', 'b', 'c']);
  });

  it('never lets a value leave its segment of a path', () => {
    fc.assert(
      fc.property(fc.string(), value => {
        let path: string;
        try {
          path = fillPath('/v1/{{x}}/y', { x: value });
        } catch {
          return ['.', '..'].includes(value);
        }
        const url = new URL(`http://a.example${path}`);
        expect([url.host, url.search]).toEqual(['a.example', '']);
        expect(url.pathname.split('/').map(decodeURIComponent)).toEqual([
          '',
          'v1',
          value,
          'y',
        ]);
        return true;
      }),
    );
  });

  it('reads every value of a document by its pointer', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.json()), object => {
        const document = JSON.parse(JSON.stringify(object)) as Json;
        for (const key of Object.keys(object)) {
          const pointer = `/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`;
          expect(readPointer(document, pointer)).toBe(object[key]);
        }
      }),
    );
  });

  it('compares decimals as integers of the smallest unit do', () => {
    const cents = fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n });
    const text = (value: bigint) => {
      const digits = (value < 0n ? -value : value).toString().padStart(3, '0');
      return `${value < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(
        -2,
      )}`;
    };
    fc.assert(
      fc.property(cents, cents, (a, b) => {
        const sign = a < b ? -1 : Number(a > b);
        return compareDecimals(text(a), text(b)) === sign;
      }),
    );
    expect(compareDecimals('-0.5', '0.4')).toBe(-1);
    expect(compareDecimals('0.30000000000000001', '0.3')).toBe(1);
    expect(compareDecimals('1e3', 1)).toBeUndefined();
  });

  it('draws amounts within their limits, with their decimals', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -5000, max: 5000 }),
        fc.nat(5000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (low, width, draw) => {
          const min = (low / 100).toFixed(2);
          const max = ((low + width) / 100).toFixed(2);
          const { a } = startValues(
            { a: { generate: 'amount', min, max } },
            { runId: 'r', startedAt: 's' },
            { uuid: () => 'u', random: () => draw },
          );
          expect(a).toMatch(/^-?\d+\.\d\d$/);
          expect(compareDecimals(a, min)).not.toBe(-1);
          expect(compareDecimals(a, max)).not.toBe(1);
        },
      ),
    );
  });
});
