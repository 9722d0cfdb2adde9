import type { DeploymentReport } from '@rocket/plugin-ci-registry-common';
import fc from 'fast-check';
import { mergeReport, valuesOf, type Fields } from './fields';

const build = { component: 'component:default/ledger' };
const deployment: DeploymentReport = {
  id: 'd1',
  component: 'component:default/ledger',
  environment: 'production',
  startedAt: '2026-11-20T08:00:00Z',
  outcome: 'in-progress',
};

function merged(reports: [object, number][]): Fields {
  return reports.reduce<Fields>(
    (fields, [report, time]) =>
      mergeReport(fields, report as DeploymentReport, time).fields,
    {},
  );
}

describe('mergeReport', () => {
  it('adds what a later report says and keeps the rest', () => {
    const suite = { name: 'unit', passed: 1, failed: 0, skipped: 0 };
    const first = mergeReport(
      {},
      { ...build, version: '1.0.0', tests: [suite] },
      1,
    );
    expect(first.outcome).toBe('updated');
    const second = mergeReport(
      first.fields,
      {
        ...build,
        outcome: 'succeeded',
        tests: [
          { ...suite, passed: 2 },
          { ...suite, name: 'contract' },
        ],
      },
      2,
    );
    expect(second.outcome).toBe('updated');
    expect(valuesOf(second.fields)).toEqual({
      version: '1.0.0',
      outcome: 'succeeded',
      tests: [
        { ...suite, passed: 2 },
        { ...suite, name: 'contract' },
      ],
    });
  });

  it('tells the same report from an older one', () => {
    const { fields } = mergeReport({}, { ...build, version: '2' }, 5);
    expect(mergeReport(fields, { ...build, version: '2' }, 5)).toMatchObject({
      outcome: 'unchanged',
      touched: false,
    });
    const older = mergeReport(fields, { ...build, version: '1' }, 4);
    expect(older).toMatchObject({ outcome: 'superseded', touched: false });
    expect(valuesOf(older.fields)).toEqual({ version: '2' });
  });

  it('never lets a late start overwrite a finish, whatever its time', () => {
    const finish = {
      ...deployment,
      outcome: 'failed',
      finishedAt: '2026-11-20T08:05:00Z',
      reason: 'health check',
    };
    for (const time of [1, 10, 20]) {
      expect(
        valuesOf(
          merged([
            [finish, 10],
            [deployment, time],
          ]),
        ),
      ).toEqual({
        startedAt: deployment.startedAt,
        outcome: 'failed',
        finishedAt: '2026-11-20T08:05:00Z',
        reason: 'health check',
      });
    }
  });

  it('takes the reason away with the outcome it belongs to', () => {
    const rolledBack = {
      ...deployment,
      outcome: 'rolled-back',
      finishedAt: '2026-11-20T09:00:00Z',
      reason: 'error rate',
    };
    const succeeded = {
      ...deployment,
      outcome: 'succeeded',
      finishedAt: '2026-11-20T08:05:00Z',
    };
    // Said for the same time: the outcome that came about later counts, in any order.
    for (const order of [
      [succeeded, rolledBack],
      [rolledBack, succeeded],
    ]) {
      expect(valuesOf(merged(order.map(report => [report, 10]))).outcome).toBe(
        'rolled-back',
      );
    }
    expect(
      valuesOf(
        merged([
          [rolledBack, 10],
          [succeeded, 11],
        ]),
      ),
    ).not.toHaveProperty('reason');
  });

  it('comes to the same in every order of arrival', () => {
    const report = fc.record(
      {
        version: fc.constantFrom('1', '2', '3'),
        outcome: fc.constantFrom('running', 'succeeded', 'failed'),
        url: fc.constantFrom('https://a.example', 'https://b.example'),
        tests: fc.uniqueArray(
          fc.record({
            name: fc.constantFrom('unit', 'contract'),
            passed: fc.nat(3),
          }),
          { selector: suite => suite.name },
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.array(report, { maxLength: 6 }).chain(reports => {
          const timed = reports.map((one, time) => [one, time] as const);
          return fc.tuple(
            fc.constant(timed),
            fc.shuffledSubarray(timed, { minLength: timed.length }),
          );
        }),
        ([inOrder, shuffled]) => {
          const sorted = (fields: Fields) => {
            const values = valuesOf(fields);
            (values.tests as { name: string }[] | undefined)?.sort((a, b) =>
              a.name < b.name ? -1 : 1,
            );
            return values;
          };
          expect(sorted(merged(shuffled.map(one => [...one])))).toEqual(
            sorted(merged(inOrder.map(one => [...one]))),
          );
        },
      ),
    );
  });
});
