import { isoWeek, weekStart } from '@rocket/plugin-ci-registry-common';
import fc from 'fast-check';
import { makeDora, makeMetrics } from '../__testUtils__/boards';
import { behindText, byEnvironment, coverageText, percentText } from './builds';
import { readView, writeView } from './deliveryView';
import {
  compareFigures,
  doraCsv,
  formatFrequency,
  samplesText,
  sortDora,
  startOfWeek,
} from './dora';
import { diffLines, readablePath, sideBySide } from './lineDiff';
import { commitHref, safeHref, shortDigest } from './links';

const AT = { now: Date.UTC(2026, 10, 21, 12) };

describe('links', () => {
  it.each([
    ['https://github.com/acme/pay', undefined, '/commit/'],
    ['https://gitlab.com/acme/pay', undefined, '/-/commit/'],
    ['https://git.acme.example/pay', 'gitlab', '/-/commit/'],
    ['https://bitbucket.org/acme/pay', 'bitbucketCloud', '/commits/'],
  ])('lead to a commit of %s', (repository, type, path) => {
    expect(commitHref(repository, 'abc', type)).toBe(`${repository}${path}abc`);
  });

  it.each([
    // eslint-disable-next-line no-script-url
    'javascript:alert(1)',
    'data:text/html,x',
    ' https://a.example',
    'file:///etc/passwd',
    'http://',
    'run 7',
    '',
  ])('do not follow %p', text => {
    expect(safeHref(text)).toBeUndefined();
    expect(commitHref(text, 'abc')).toBeUndefined();
  });

  it('shorten digests and leave other texts alone', () => {
    expect(shortDigest(`sha256:${'ab'.repeat(32)}`)).toBe(
      'sha256:abababababab…',
    );
    expect(shortDigest('none')).toBe('none');
  });
});

describe('DORA figures', () => {
  it.each([
    [2.34, '2.3 /day'],
    [1, '1 /day'],
    [0.2, '1.4 /week'],
    [0.05, '1.5 /month'],
    [0, '0 /day'],
    [null, 'no data'],
  ])('%p deployments per day read %p', (value, text) => {
    expect(formatFrequency(value).text).toBe(text);
  });

  it('say better and worse by what the metric wants', () => {
    const now = makeMetrics({ perDay: 2, lead: 3_000, failures: 0.1 });
    const before = makeMetrics({ perDay: 1, lead: 2_000, failures: 0.1 });
    const compare = (metric: 'deploymentFrequency' | 'leadTime') =>
      compareFigures(metric, now[metric], before[metric]);
    expect(compare('deploymentFrequency')).toEqual({
      verdict: 'better',
      was: '1 /day',
    });
    expect(compare('leadTime')).toEqual({ verdict: 'worse', was: '33.3 min' });
    expect(
      compareFigures(
        'changeFailureRate',
        now.changeFailureRate,
        before.changeFailureRate,
      ),
    ).toEqual({ verdict: 'same', was: '10 %' });
    expect(
      compareFigures('timeToRecover', now.timeToRecover, before.timeToRecover),
    ).toBeUndefined();
  });

  it('have weeks that begin when those of the registry do', () => {
    expect(new Date(startOfWeek('2026-W47')).toISOString()).toBe(
      '2026-11-16T00:00:00.000Z',
    );
    expect(startOfWeek('2026-11-16')).toBeNaN();
    fc.assert(
      fc.property(
        fc.date({
          min: new Date('1990-01-01'),
          max: new Date('2060-01-01'),
          noInvalidDate: true,
        }),
        date =>
          expect(startOfWeek(isoWeek(date.getTime()))).toBe(
            weekStart(date.getTime()),
          ),
      ),
    );
  });

  it('tell on how much they stand', () => {
    expect(
      samplesText('leadTime', { value: 5, samples: 12, minimumSamples: 5 }),
    ).toBe('12 commits');
    expect(
      samplesText('timeToRecover', {
        value: null,
        samples: 1,
        minimumSamples: 5,
      }),
    ).toBe('1 of 5 failures');
  });

  it('keep rows without the figure at the end in both directions', () => {
    const { rows } = makeDora(AT, { by: 'team' });
    const order = (descending: boolean) =>
      sortDora(rows, { key: 'leadTime', descending }).map(row => row.title);
    expect(order(false)).toEqual(['ledger', 'cards', 'treasury']);
    expect(order(true)).toEqual(['cards', 'ledger', 'treasury']);
  });

  it('become CSV in which no text is a formula', () => {
    const answer = makeDora(AT, { by: 'team' });
    answer.rows[0].title = '=HYPERLINK("x")';
    answer.rows[1].title = 'cards, old';
    const [head, first, second, third] = doraCsv(answer, answer.rows).split(
      '\r\n',
    );
    expect(head.split(',').slice(0, 5)).toEqual([
      'entity',
      'name',
      'environment',
      'from',
      'to',
    ]);
    expect(first).toContain(`"'=HYPERLINK(""x"")",production`);
    expect(first).toContain('1.7,24,1.2,2280,24,3120,0.083,24,0.05');
    expect(second).toContain('"cards, old"');
    // Without enough data the figure is empty, and its samples are told.
    expect(third).toContain(',,2,,,2,,,2,,');
  });
});

describe('builds', () => {
  it('compares coverage in points and never rounds up to all', () => {
    expect(coverageText({ before: 0.862, after: 0.867 })).toBe(
      'coverage +0.5 points, now 86.7 %',
    );
    expect(coverageText({ before: 0.9, after: 0.85 })).toBe(
      'coverage −5.0 points, now 85.0 %',
    );
    expect(coverageText({ before: 0.5, after: 0.5 })).toBe(
      'coverage as before, 50.0 %',
    );
    expect(coverageText({ before: null, after: 0.5 })).toBeUndefined();
    expect(percentText(0.99999)).toBe('99.9 %');
    expect(percentText(1)).toBe('100.0 %');
  });

  it('puts production first and tells how far behind one is', () => {
    expect(['staging', 'dev', 'production'].sort(byEnvironment)).toEqual([
      'production',
      'dev',
      'staging',
    ]);
    expect(behindText({ behind: 1 })).toMatch(/^1 commit behind/);
    expect(behindText({ behind: null })).toBeUndefined();
  });
});

describe('the address', () => {
  it('gives back what was written, and leaves other parameters alone', () => {
    const params = new URLSearchParams(
      'view=freshness&by=path&environment=staging&days=90&q=led&sort=-leadTime&owner=mine&state=gone,stale&other=1',
    );
    const view = readView(params);
    expect(view).toEqual({
      view: 'freshness',
      by: 'path',
      environment: 'staging',
      days: 90,
      text: 'led',
      sort: { key: 'leadTime', descending: true },
      owner: 'mine',
      states: ['gone', 'stale'],
      refused: false,
    });
    expect(writeView(params, view).toString()).toBe(
      new URLSearchParams(params).toString(),
    );
  });

  it('turns what it cannot understand into the default', () => {
    const view = readView(
      new URLSearchParams('view=x&by=y&days=5&sort=z&state=nice'),
    );
    expect(writeView(new URLSearchParams('other=1'), view).toString()).toBe(
      'other=1',
    );
  });
});

describe('diffs', () => {
  it('read like the field that changed', () => {
    expect(readablePath('/metadata/annotations/a.b~1c~0d')).toBe(
      'metadata › annotations › a.b/c~d',
    );
    expect(readablePath('')).toBe('whole entity');
  });

  it('keep the lines that stay', () => {
    expect(diffLines('a\nb\nc', 'a\nx\nc')).toEqual([
      { kind: 'same', text: 'a' },
      { kind: 'removed', text: 'b' },
      { kind: 'added', text: 'x' },
      { kind: 'same', text: 'c' },
    ]);
    expect(diffLines(undefined, 'a')).toEqual([{ kind: 'added', text: 'a' }]);
    expect(diffLines('a', undefined)).toEqual([{ kind: 'removed', text: 'a' }]);
  });

  it('hold both texts whole, whatever they are', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', ''), {
        minLength: 1,
        maxLength: 12,
      })
      .map(lines => lines.join('\n'));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const lines = diffLines(before, after);
        const side = (gone: string) =>
          lines
            .filter(line => line.kind !== gone)
            .map(line => line.text)
            .join('\n');
        expect(side('added')).toBe(before);
        expect(side('removed')).toBe(after);
      }),
    );
  });

  it('leave long equal stretches out side by side', () => {
    const before = Array.from({ length: 20 }, (_, line) => `line ${line}`);
    const after = before.with(10, 'changed');
    const rows = sideBySide(diffLines(before.join('\n'), after.join('\n')));
    expect(rows[0]).toEqual({ hidden: 7 });
    expect(rows.filter(row => row.left && row.right)).toHaveLength(7);
    expect(rows.find(row => row.left?.kind === 'removed')).toEqual({
      left: { kind: 'removed', text: 'line 10' },
      right: { kind: 'added', text: 'changed' },
    });
    expect(rows[rows.length - 1]).toEqual({ hidden: 6 });
  });
});
