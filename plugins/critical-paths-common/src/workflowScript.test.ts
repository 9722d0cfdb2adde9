import { Script, createContext } from 'node:vm';
import fc from 'fast-check';
import { newRelicScript } from './workflowScript';
import type { Json, ParsedWorkflow, WorkflowCheck } from './workflow';
import { checkAnswer } from './workflowValues';

function workflow(
  expect: WorkflowCheck[],
  variables: ParsedWorkflow['variables'] = {},
): ParsedWorkflow {
  return {
    name: 'w',
    title: 'W\n//evil',
    criticality: 'required',
    target: 'api',
    everySeconds: 60,
    deadlineMs: 10_000,
    variables,
    steps: [
      {
        name: 'ask',
        title: 'Ask',
        target: 'api',
        method: 'GET',
        path: '/',
        query: {},
        headers: {},
        timeoutMs: 1000,
        expect,
        extract: {},
      },
    ],
  };
}

/** Runs a script as the monitor does, with an `$http` that always answers alike; the message of the failure, if any. */
function verdict(
  script: string,
  answer: { status: number; headers: Record<string, string>; body: string },
): string | undefined {
  try {
    new Script(script).runInContext(
      createContext({
        require,
        console: { log: () => {} },
        URL,
        BigInt,
        $secure: {},
        $http: (_: unknown, callback: Function) =>
          callback(
            null,
            { statusCode: answer.status, headers: answer.headers },
            answer.body,
          ),
      }),
    );
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const scalar = fc.oneof(
  fc.constantFrom<Json>('a', 'ab', '1', '1.0', '-2.50', '', null, true, 1, 1.5),
  fc.integer({ min: -3, max: 3 }),
);
const json = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('a', 'b/c', '~'), scalar),
) as fc.Arbitrary<Json>;
const comparison = fc.oneof(
  fc.record({ equals: json }),
  fc.record({ notEquals: json }),
  fc.record({ contains: scalar }),
  fc.record({ startsWith: fc.constantFrom('', 'a', '{{v}}') }),
  fc.record({ atLeast: fc.constantFrom('1', '1.00', -2, '{{v}}') }),
  fc.record({ atMost: fc.constantFrom('1', '-2.5', 2) }),
  fc.record({ exists: fc.boolean() }),
);
const check = fc.oneof(
  fc.record({ status: fc.constantFrom(200, '2xx', '4xx', [200, 404]) }),
  fc
    .tuple(fc.constantFrom('X-A', 'x-none'), comparison)
    .map(([header, rest]) => ({ header, ...rest })),
  fc
    .tuple(fc.constantFrom('', '/a', '/b~1c', '/~0', '/0', '/x'), comparison)
    .map(([pointer, rest]) => ({ json: pointer, ...rest })),
) as fc.Arbitrary<WorkflowCheck>;

describe('newRelicScript', () => {
  it('comes to the verdict of Rocket for every check and answer', () => {
    const outcomes = { passed: 0, failed: 0 };
    fc.assert(
      fc.property(
        check,
        json,
        fc.constantFrom(200, 201, 404),
        fc.constantFrom('a', '1.5', 'xyz'),
        fc.constantFrom<'a' | 1>('a', 1),
        (tested, body, status, header, v) => {
          const answer = {
            status,
            headers: { 'x-a': header },
            body: JSON.stringify(body),
          };
          const { passed } = checkAnswer(
            tested,
            { ...answer, latencyMs: 1 },
            { v },
          );
          outcomes[passed ? 'passed' : 'failed'] += 1;
          const script = newRelicScript({
            pathRef: 'criticalpath:default/p',
            pathTitle: 'P',
            workflow: workflow([tested], { v: { value: v } }),
            targets: {
              api: { baseUrl: 'http://a.example', secretHeaders: [] },
            },
          });
          expect(verdict(script, answer) === undefined).toBe(passed);
        },
      ),
      { numRuns: 400 },
    );
    expect(outcomes.passed).toBeGreaterThan(50);
    expect(outcomes.failed).toBeGreaterThan(50);
  });

  it('fails on a body that is no JSON, and names the step', () => {
    const script = newRelicScript({
      pathRef: 'criticalpath:default/p',
      pathTitle: 'P',
      workflow: workflow([{ json: '/id', exists: false }]),
      targets: { api: { baseUrl: 'http://a.example', secretHeaders: [] } },
    });
    expect(verdict(script, { status: 200, headers: {}, body: '<' })).toBe(
      'Step ask: expected {"json":"/id","exists":false}',
    );
  });

  it('reads secrets from secure credentials and holds nothing that ends a comment', () => {
    const script = newRelicScript({
      pathRef: 'criticalpath:default/p',
      pathTitle: 'P\u2028alert()',
      workflow: workflow([]),
      targets: {
        api: {
          baseUrl: 'http://a.example',
          secretHeaders: ['authorization', 'x-api-key'],
        },
      },
    });
    expect(script).toContain(
      '// Secure credentials that it needs: ROCKET_API_AUTHORIZATION, ROCKET_API_X_API_KEY',
    );
    expect(script).toContain('"x-api-key": $secure.ROCKET_API_X_API_KEY');
    expect(script.split(/[\n\u2028]/)[0]).toBe('// P alert(): W //evil');
  });
});
