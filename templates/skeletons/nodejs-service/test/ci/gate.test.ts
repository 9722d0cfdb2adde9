import { describe, expect, it } from '@jest/globals';
import { judge, readExceptions, readReport } from '../../scripts/ci/gate.ts';

const TODAY = '2026-11-21';

const osv = (max: string, more: object = {}, ids = ['GHSA-1', 'CVE-1']) =>
  JSON.stringify({
    results: [
      {
        packages: [
          {
            package: { name: 'left', version: '1.0.0', ecosystem: 'npm' },
            groups: [{ ids, aliases: ids, max_severity: max }],
            vulnerabilities: [
              {
                id: ids[0],
                affected: [
                  { package: { name: 'other' }, ranges: [{ events: [{ fixed: '9.9.9' }] }] },
                  { package: { name: 'left' }, ranges: [{ events: [{ introduced: '0' }, { fixed: '1.0.1' }] }] },
                ],
                ...more,
              },
            ],
          },
        ],
      },
    ],
  });

const grype = (severity: string, state: string) =>
  JSON.stringify({
    matches: [
      {
        vulnerability: { id: 'GHSA-2', severity, fix: { state, versions: state === 'fixed' ? ['2.0.1'] : [] } },
        relatedVulnerabilities: [{ id: 'CVE-2' }],
        artifact: { name: 'openssl', version: '2.0.0' },
      },
    ],
  });

const verdict = (report: string, exceptions: object[] = []) =>
  judge(readReport(report, 'report.json'), readExceptions(JSON.stringify(exceptions), TODAY), TODAY);

describe('the gate', () => {
  it.each([
    ['osv, high', osv('7.0'), 1],
    ['osv, critical', osv('9.8'), 1],
    ['osv, medium', osv('6.9'), 0],
    ['osv, no score', osv(''), 0],
    ['osv, no fix', osv('9.8', { affected: [] }), 0],
    ['osv, malware without a score or a fix', osv('', { affected: [] }, ['MAL-2026-1']), 1],
    ['grype, high', grype('High', 'fixed'), 1],
    ['grype, critical', grype('Critical', 'fixed'), 1],
    ['grype, medium', grype('Medium', 'fixed'), 0],
    ['grype, no fix', grype('Critical', 'not-fixed'), 0],
    ['nothing found', '{"results":[]}', 0],
  ])('%s', (_, report, refused) => {
    expect(verdict(report).refused).toHaveLength(refused);
  });

  it('names what it refuses', () => {
    expect(verdict(osv('9.8')).refused).toEqual(['GHSA-1, CVE-1: left 1.0.0, critical, fixed in 1.0.1 (osv-scanner)']);
    expect(verdict(grype('High', 'fixed')).refused).toEqual([
      'GHSA-2, CVE-2: openssl 2.0.0, high, fixed in 2.0.1 (grype)',
    ]);
  });

  it('takes an exception by any of the names, until its day has passed', () => {
    const reason = 'The function with the fault is never called.';
    expect(verdict(osv('9.8'), [{ id: 'CVE-1', reason, until: TODAY }])).toMatchObject({ refused: [], counted: 1 });
    const late = verdict(grype('High', 'fixed'), [{ id: 'CVE-2', reason, until: '2026-11-20' }]);
    expect(late.refused[0]).toContain('its exception ended on 2026-11-20');
  });

  it.each([
    [[{ reason: 'long enough', until: TODAY }], 'entry 1: id'],
    [[{ id: 'x', reason: 'short', until: TODAY }], 'entry 1: reason'],
    [[{ id: 'x', reason: 'long enough', until: 'soon' }], 'entry 1: until'],
    [[{ id: 'x', reason: 'long enough', until: '2026-99-99' }], 'entry 1: until'],
    [[{ id: 'x', reason: 'long enough', until: '2027-11-21' }], '180 days at most'],
  ])('refuses the exceptions %j', (list, message) => {
    expect(() => readExceptions(JSON.stringify(list), TODAY)).toThrow(message);
  });

  it.each(['', 'null', '[]', '{}', '{"results":{}}', 'no such image'])('does not pass the report %j', report => {
    expect(() => readReport(report, 'report.json')).toThrow(/report\.json/);
  });
});
