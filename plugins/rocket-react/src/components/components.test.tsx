import { ResponseError } from '@backstage/errors';
import { act, render, screen } from '@testing-library/react';
import { STATES, type SignalState } from '../states';
import { BudgetBar } from './BudgetBar';
import { DataAge } from './DataAge';
import { ReadingNotice } from '../data/ReadingNotice';
import type { Reading } from '../data/reading';
import { StateBadge } from './StateBadge';
import { ToneBadge } from './ToneBadge';

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

describe('ToneBadge', () => {
  it('says by word and icon what the colour says', () => {
    const { container } = render(
      <ToneBadge
        subject="Outcome"
        label="Failed"
        tone="negative"
        Icon={STATES.exhausted.Icon}
      />,
    );
    expect(container).toHaveTextContent('Outcome: Failed');
    expect(container.querySelector('svg')).not.toBeNull();
  });
});

describe('ReadingNotice', () => {
  const reading: Reading<string> = {
    receivedAt: Date.now(),
    outdated: false,
    switching: false,
    loading: false,
    refresh: () => {},
  };
  const failure = (status: number) =>
    ResponseError.fromResponse(
      Response.json(
        {
          error: { name: 'Error', message: 'the database is away' },
          response: { statusCode: status },
        },
        { status },
      ),
    );

  it('is silent while all is well', () => {
    const { container } = render(
      <ReadingNotice reading={{ ...reading, data: 'x' }} permission="a.read" />,
    );
    expect(container).toBeEmptyDOMElement();
  });

  it.each([
    [403, /lacks the permission a\.read/],
    [401, /Sign in again/],
    [503, /the database is away\. The page tries again/],
  ])('tells the way out of a %p', async (status, text) => {
    render(
      <ReadingNotice
        reading={{ ...reading, error: await failure(status) }}
        permission="a.read"
      />,
    );
    expect(screen.getByText(text)).toBeVisible();
    expect(screen.getByRole('button', { name: 'Try again' })).toBeEnabled();
  });

  it('says how old what is still shown is', async () => {
    render(
      <ReadingNotice
        reading={{
          ...reading,
          data: 'x',
          outdated: true,
          receivedAt: Date.now() - 10 * 60_000,
          error: await failure(503),
        }}
        subject="The builds"
        permission="a.read"
      />,
    );
    expect(
      screen.getByText(/^The builds are old: read 10 min ago/),
    ).toBeVisible();
  });
});
