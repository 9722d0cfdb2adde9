import path from 'node:path';
import fc from 'fast-check';
import { cleanUp, repository } from '../__testUtils__/world';
import { parseImage, readArtifact, readImage, readSbom } from './artifacts';
import { addCoverage, parseCoverage, readCoverage } from './coverage';
import { addScans, parseScans, readScans } from './scans';
import { addTests, parseTests, readTests } from './tests';

const fixture = (name: string) => path.join(__dirname, '../__fixtures__', name);
afterEach(cleanUp);

describe('coverage', () => {
  // Worked out by hand: post.ts has the lines 3, 4, 5 (by the second run) hit and 21 not; ids.ts only sums, 9 of 10.
  it('reads lcov, with the runs of one file united', () => {
    expect(readCoverage(fixture('jest.lcov'))).toEqual({
      lines: { covered: 12, total: 14 },
      branches: { covered: 2, total: 4 },
      functions: { covered: 1, total: 2 },
    });
  });

  it("takes Cobertura's own sums", () => {
    expect(readCoverage(fixture('coveragepy.cobertura.xml'))).toEqual({
      lines: { covered: 6, total: 8 },
      branches: { covered: 3, total: 4 },
    });
  });

  // Lines 10, 11 and 20 are hit, 12 is not; those of methods and the repeated 12 count once.
  it('counts the lines of Cobertura without sums', () => {
    expect(readCoverage(fixture('coverlet.cobertura.xml'))).toEqual({
      lines: { covered: 3, total: 4 },
      branches: { covered: 1, total: 2 },
    });
  });

  it('takes the counters of the whole JaCoCo report', () => {
    expect(readCoverage(fixture('jacoco.xml'))).toEqual({
      lines: { covered: 33, total: 40 },
      branches: { covered: 15, total: 20 },
      functions: { covered: 8, total: 10 },
    });
  });

  // 2 + 1 + 5 of 2 + 1 + 5 + 3 statements; blocks that stand twice count once.
  it('counts the statements of a Go profile', () => {
    expect(readCoverage(fixture('go.cover'))).toEqual({
      lines: { covered: 8, total: 11 },
    });
  });

  it.each([
    ['', /is no coverage report/],
    ['<html></html>', /is no coverage report/],
    ['SF:a.ts\nDA:1,1\n', /ends in the middle of a file/],
    ['SF:a.ts\nDA:1,x\nend_of_record\n', /^x:2: must hold a whole number/],
    ['SF:a.ts\nLF:1\nLH:2\nend_of_record\n', /^x:4: more lines hit than found/],
    ['mode: set\na.go:1.1 1 1\n', /^x:2: is no block/],
    ['<coverage lines-valid="1" lines-covered="2"/>', /more lines covered/],
    ['<coverage lines-valid="-1" lines-covered="2"/>', /lines-valid must be/],
    ['<report><counter type="LINE" missed="1"/></report>', /needs missed and/],
    ['<coverage><packages></coverage>', /^x:1:\d+: /],
  ])('refuses %j', (text, message) => {
    expect(() => parseCoverage(text, 'x')).toThrow(message);
  });

  it('refuses what covers nothing', () => {
    const { folder, write } = repository();
    write({ 'a.lcov': 'SF:a.ts\nLF:0\nLH:0\nend_of_record\n' });
    expect(() => readCoverage(path.join(folder, 'a.lcov'), 'a.lcov')).toThrow(
      'a.lcov: covers nothing',
    );
  });

  it.each([
    [
      'entities of its own',
      '<!DOCTYPE coverage [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><coverage>&b;</coverage>',
    ],
    [
      'an entity of a file',
      '<!DOCTYPE coverage [<!ENTITY f SYSTEM "file:///etc/passwd">]><coverage>&f;</coverage>',
    ],
    [
      'a document type of its own',
      '<!DOCTYPE coverage [<!ELEMENT coverage ANY>]><coverage lines-valid="1" lines-covered="1"/>',
    ],
    ['an unknown entity', '<coverage>&secret;</coverage>'],
    ['a hundred thousand levels', `<coverage>${'<a>'.repeat(100_000)}`],
  ])('refuses XML with %s', (_, text) => {
    expect(() => parseCoverage(text, 'x.xml')).toThrow(/^x\.xml:\d+:\d+: /);
  });

  it('finds in any lcov what was written into it', () => {
    const file = fc.dictionary(
      fc.integer({ min: 1, max: 500 }).map(String),
      fc.integer({ min: 0, max: 9 }),
      { minKeys: 1, maxKeys: 30 },
    );
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 8 }), files => {
        const text = files
          .map(
            (hits, index) =>
              `TN:\nSF:f${index}.ts\n${Object.entries(hits)
                .map(([number, n]) => `DA:${number},${n}\n`)
                .join('')}end_of_record\n`,
          )
          .join('');
        const all = files.flatMap(hits => Object.values(hits));
        expect(parseCoverage(text, 'x').lines).toEqual({
          covered: all.filter(n => n > 0).length,
          total: all.length,
        });
      }),
    );
  });

  it('adds up what each report counts', () => {
    expect(
      addCoverage([
        { lines: { covered: 1, total: 2 } },
        { lines: { covered: 3, total: 4 }, branches: { covered: 0, total: 1 } },
      ]),
    ).toEqual({
      lines: { covered: 4, total: 6 },
      branches: { covered: 0, total: 1 },
    });
  });
});

describe('tests', () => {
  it('counts the cases of JUnit XML', () => {
    expect(readTests(fixture('jest.junit.xml'))).toEqual({
      name: 'integration',
      passed: 4,
      failed: 1,
      skipped: 1,
      duration: 1002.376,
    });
  });

  it('counts a case that passed after a re-run as passed', () => {
    expect(readTests(fixture('surefire.junit.xml'), 'unit')).toEqual({
      name: 'unit',
      passed: 2,
      failed: 1,
      skipped: 0,
      duration: 0.9,
    });
  });

  it('counts a suite that broke while it was loaded', () => {
    expect(
      parseTests(
        '<testsuite name="a"><error message="cannot load"/></testsuite>',
        'a.xml',
      ),
    ).toMatchObject({ name: 'a', passed: 0, failed: 1 });
  });

  it.each([
    ['<html/>', 'a.xml: is no JUnit XML'],
    ['{}', 'a.xml: is no JUnit XML'],
    ['<testsuite><testcase></testsuite>', 'a.xml:1:'],
  ])('refuses %j', (text, message) => {
    expect(() => parseTests(text, 'a.xml')).toThrow(message);
  });

  it('counts whatever it is given', () => {
    const outcome = fc.constantFrom('passed', 'failed', 'skipped');
    const inner = { passed: '', failed: '<failure/>', skipped: '<skipped/>' };
    fc.assert(
      fc.property(fc.array(fc.array(outcome)), suites => {
        const text = `<testsuites>${suites
          .map(
            cases =>
              `<testsuite>${cases
                .map(o => `<testcase name="a">${(inner as any)[o]}</testcase>`)
                .join('')}</testsuite>`,
          )
          .join('')}</testsuites>`;
        const all = suites.flat();
        const n = (o: string) => all.filter(x => x === o).length;
        expect(parseTests(text, 'all.xml')).toEqual({
          name: 'all',
          passed: n('passed'),
          failed: n('failed'),
          skipped: n('skipped'),
        });
      }),
    );
  });

  it('makes one suite of those with one name', () => {
    const suite = { name: 'unit', passed: 1, failed: 0, skipped: 2 };
    expect(
      addTests([suite, { ...suite, duration: 0.25 }, { ...suite, name: 'x' }]),
    ).toEqual([
      { name: 'unit', passed: 2, failed: 0, skipped: 4, duration: 0.25 },
      { name: 'x', passed: 1, failed: 0, skipped: 2 },
    ]);
  });
});

describe('scans', () => {
  // a and c are 8.8; d is 9.3; e is a note; f has no level, which is a warning; g an error; h none. b, i, j do not count.
  it('reads SARIF by score, else by level', () => {
    expect(readScans(fixture('codeql.sarif'))).toEqual([
      { tool: 'CodeQL', critical: 1, high: 3, medium: 1, low: 1, unknown: 1 },
    ]);
  });

  it('reads osv-scanner, whose groups are vulnerabilities', () => {
    expect(readScans(fixture('osv.json'))).toEqual([
      {
        tool: 'osv-scanner',
        critical: 1,
        high: 1,
        medium: 1,
        low: 0,
        unknown: 0,
        fixable: 1,
      },
    ]);
  });

  it('reads grype', () => {
    expect(readScans(fixture('grype.json'), 'image')).toEqual([
      {
        tool: 'image',
        critical: 1,
        high: 1,
        medium: 1,
        low: 1,
        unknown: 1,
        fixable: 1,
      },
    ]);
  });

  it.each([
    ['', 'a.json: is not JSON; did the scanner run?'],
    ['{}', 'a.json: is no report'],
    ['[]', 'a.json: is no report'],
    ['{"runs":[{}]}', 'a.json: runs.0.tool.driver.name is missing'],
    [
      '{"runs":[{"tool":{"driver":{"name":"x"}}}]}',
      'a.json: runs.0.results is missing',
    ],
  ])('takes nothing for a clean scan that is none: %j', (text, message) => {
    expect(() => parseScans(text, 'a.json')).toThrow(message);
  });

  it('adds up the reports of one tool', () => {
    const scan = { critical: 1, high: 0, medium: 2, low: 0, unknown: 0 };
    expect(
      addScans([
        { tool: 'a', ...scan },
        { tool: 'a', ...scan, fixable: 2 },
      ]),
    ).toEqual([
      {
        tool: 'a',
        critical: 2,
        high: 0,
        medium: 4,
        low: 0,
        unknown: 0,
        fixable: 2,
      },
    ]);
  });
});

describe('artefacts', () => {
  it('counts the components of CycloneDX in JSON and XML, nested ones too', () => {
    expect(readSbom(fixture('syft.cdx.json'))).toMatchObject({
      format: 'cyclonedx',
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      components: 3,
    });
    expect(readSbom(fixture('maven.cdx.xml'))).toMatchObject({ components: 3 });
  });

  it('refuses what is no CycloneDX', () => {
    expect(() => readSbom(fixture('grype.json'), 'g.json')).toThrow(
      'g.json: bomFormat must be CycloneDX, was undefined',
    );
    expect(() => readSbom(fixture('jest.lcov'), 'a')).toThrow(
      'a: is neither JSON nor XML of CycloneDX',
    );
  });

  it('reads an image by its digest', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(parseImage(`ghcr.io:443/acme/wallet:1.2@${digest}\n`, 'x')).toEqual({
      type: 'container-image',
      name: 'ghcr.io:443/acme/wallet',
      tag: '1.2',
      digest,
    });
    expect(() => parseImage('ghcr.io/acme/wallet:latest', '--image')).toThrow(
      '--image must name an image by its digest',
    );
    const { folder, write } = repository();
    write({ 'image.txt': `localhost:5000/w@${digest}\n`, 'a.tgz': 'abc' });
    expect(readImage(path.join(folder, 'image.txt'))).toEqual({
      type: 'container-image',
      name: 'localhost:5000/w',
      digest,
    });
    // The digest of "abc" in FIPS 180-2.
    expect(readArtifact('package=a.tgz', folder)).toEqual({
      type: 'package',
      name: 'a.tgz',
      digest:
        'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
    expect(() => readArtifact('package=b.tgz', folder)).toThrow(
      'b.tgz: does not exist',
    );
    expect(() => readArtifact('container-image=a.tgz', folder)).toThrow(
      '--artifact must be',
    );
  });
});
