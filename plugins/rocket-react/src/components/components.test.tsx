import { act, render, screen } from '@testing-library/react';
import { STATES, type SignalState } from '../states';
import { BudgetBar } from './BudgetBar';
import { DataAge } from './DataAge';
import { StateBadge } from './StateBadge';

describe('StateBadge', () => {
  it.each(Object.keys(STATES) as SignalState[])(
    'shows %s by word and icon, green only when healthy',
    state => {
      const { container } = render(<StateBadge state={state} />);
      const badge = container.querySelector('[data-state]')!;
      expect(badge).toHaveTextContent(`State: ${STATES[state].label}`);
      expect(badge.querySelector('svg')).not.toBeNull();
      expect(badge.getAttribute('data-tone') === 'positive').toBe(
        state === 'healthy',
      );
    },
  );

  it('tells the reasons to screen readers and on hovering', () => {
    render(<StateBadge state="stale" reasons={['no answer', 'too slow']} />);
    const badge = screen.getByTitle(/no answer too slow$/);
    expect(badge).toHaveTextContent('State: Stale: no answer; too slow');
  });

  it('is not green when the figures are old', () => {
    const { container } = render(<StateBadge state="healthy" outdated />);
    const badge = container.querySelector('[data-state]')!;
    expect(badge).toHaveTextContent('Was healthy');
    expect(badge).toHaveAttribute('data-tone', 'missing');
  });
});

describe('BudgetBar', () => {
  it.each([
    [0.58, '58 % left', 'positive'],
    [0.1, '10 % left', 'warning'],
    [-0.2, '20 % over', 'negative'],
    [null, 'no data', 'missing'],
  ])('shows a budget of %p', (remaining, text, tone) => {
    const { container } = render(
      <BudgetBar remaining={remaining} label="Error budget" />,
    );
    expect(screen.getByRole('meter', { name: 'Error budget' })).toHaveAttribute(
      'aria-valuetext',
      text,
    );
    expect(container.firstChild).toHaveAttribute('data-tone', tone);
  });
});

describe('DataAge', () => {
  const RECEIVED = Date.UTC(2026, 10, 21, 12, 0);

  beforeEach(() => {
    jest.useFakeTimers({ now: RECEIVED });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('grows while nobody refreshes it', () => {
    render(
      <DataAge
        ageSeconds={30}
        receivedAt={RECEIVED}
        at="2026-11-21T11:59:30Z"
      />,
    );
    expect(screen.getByText('30 s ago')).toHaveAttribute(
      'title',
      expect.stringMatching(/^Measured up to 21 Nov 2026/),
    );
    act(() => {
      jest.advanceTimersByTime(5 * 60_000);
    });
    expect(screen.getByText('5 min ago')).toBeInTheDocument();
  });

  it('says so when nothing was ever read', () => {
    render(<DataAge ageSeconds={null} receivedAt={RECEIVED} />);
    expect(screen.getByText('no data')).toBeInTheDocument();
  });
});
