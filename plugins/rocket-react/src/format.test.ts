import {
  formatAge,
  formatAvailability,
  formatDuration,
  formatErrorRate,
  formatShare,
  formatSpan,
  formatThroughput,
  NO_DATA,
} from './format';

describe('formatAvailability', () => {
  it.each([
    [1, '100 %'],
    [0.9995, '99.95 %'],
    [0.99999, '99.999 %'],
    [0.9999999, '99.999 %'],
    [999_999 / 1_000_000, '99.999 %'],
    [0.99957, '99.95 %'],
    [0.5, '50.00 %'],
    [0, '0.00 %'],
  ])('%p is %p', (ratio, text) => {
    expect(formatAvailability(ratio).text).toBe(text);
  });

  it('says 100 % only when everything was good', () => {
    for (const valid of [10, 1e3, 1e6, 1e9, 1e12]) {
      expect(formatAvailability((valid - 1) / valid).value).not.toBe('100');
      expect(
        Number(formatAvailability((valid - 1) / valid).value),
      ).toBeLessThan(100);
    }
  });
});

describe('formatErrorRate', () => {
  it.each([
    [0, '0 %'],
    [0.0005, '0.05 %'],
    [0.00043, '0.05 %'],
    [1e-9, '0.001 %'],
    [0.034, '3.40 %'],
    [1, '100.00 %'],
  ])('%p is %p', (ratio, text) => {
    expect(formatErrorRate(ratio).text).toBe(text);
  });

  it('adds up with the availability at the same number of digits', () => {
    for (const ratio of [0.5, 0.1, 0.9995, 0.99943, 0.99957, 0.98301]) {
      expect(
        Number(formatAvailability(ratio).value) +
          Number(formatErrorRate(1 - ratio).value),
      ).toBeCloseTo(100, 6);
    }
  });
});

describe('the other figures', () => {
  it.each([
    [0, '0 ms'],
    [0.2, '< 1 ms'],
    [8.43, '8.4 ms'],
    [243.4, '243 ms'],
    [999.7, '1.00 s'],
    [1240, '1.24 s'],
    [12_340, '12.3 s'],
    [75_000, '75 s'],
  ])('%p ms is %p', (ms, text) => {
    expect(formatDuration(ms).text).toBe(text);
  });

  it.each([
    [0, '0 /min'],
    [0.01, '< 0.1 /min'],
    [4.24, '4.2 /min'],
    [1240.4, '1,240 /min'],
    [124_000, '124k /min'],
    [2_400_000, '2.4M /min'],
  ])('%p requests per minute is %p', (rate, text) => {
    expect(formatThroughput(rate).text).toBe(text);
  });

  it.each([
    [1, '100 %'],
    [0.999, '99 %'],
    [0.0001, '0 %'],
    [-0.123, '-13 %'],
    [-4000, '< -999 %'],
  ])('a budget of %p is %p', (share, text) => {
    expect(formatShare(share).text).toBe(text);
  });

  it.each([
    [0, 'just now'],
    [42, '42 s ago'],
    [200, '3 min ago'],
    [7300, '2 h ago'],
    [4 * 86_400 + 5, '4 d ago'],
  ])('an age of %p s is %p', (seconds, text) => {
    expect(formatAge(seconds)).toBe(text);
  });

  it.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [2700, '45 min'],
    [2718, '45.3 min'],
    [6000, '1.7 h'],
    [172_000, '47.8 h'],
    [172_800, '2 d'],
    [864_000, '10 d'],
  ])('a span of %p s is %p', (seconds, text) => {
    expect(formatSpan(seconds).text).toBe(text);
  });

  it('never turns missing data into a number', () => {
    for (const format of [
      formatAvailability,
      formatErrorRate,
      formatDuration,
      formatThroughput,
      formatShare,
      formatSpan,
    ]) {
      for (const missing of [null, undefined, NaN, Infinity]) {
        expect(format(missing)).toEqual({
          value: NO_DATA,
          unit: '',
          text: NO_DATA,
          hasData: false,
        });
      }
    }
  });
});
