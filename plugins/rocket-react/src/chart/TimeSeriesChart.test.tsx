import { fireEvent, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { formatDuration } from '../format';
import type { ChartSeries } from './model';
import { Sparkline } from './Sparkline';
import { TimeSeriesChart } from './TimeSeriesChart';

const START = Date.UTC(2026, 10, 21, 12, 0);
const MINUTE = 60_000;
const text = (value: number) => formatDuration(value).text;

function line(
  id: string,
  values: (number | null | undefined)[],
  emphasis = false,
): ChartSeries {
  return {
    id,
    label: id,
    emphasis,
    color: 'red',
    points: values.map((value, index) => ({
      time: START + index * MINUTE,
      observed: value !== undefined,
      value: value ?? null,
    })),
  };
}

const series = [
  line('path', [10, 20, undefined, undefined, 50], true),
  line('ledger', [1, 2, 3, null, 5]),
];

function renderChart() {
  return render(
    <TimeSeriesChart
      title="Latency of a path."
      series={series}
      stepSeconds={60}
      format={text}
      thresholds={[{ value: 40, label: 'objective 40 ms' }]}
      floor={0}
    />,
  );
}

describe('TimeSeriesChart', () => {
  it('says in words what it shows', () => {
    renderChart();
    const chart = screen.getByRole('img');
    expect(chart).toHaveAccessibleName(
      /^Latency of a path\. Line at objective/,
    );
    expect(chart).toHaveAccessibleName(
      /path: latest 50 ms, lowest 10 ms, highest 50 ms\. 2 of 5 intervals not observed/,
    );
    expect(chart).toHaveAccessibleName(/ledger: latest 5.0 ms/);
  });

  it('breaks the line at a gap and hatches it', () => {
    const { container } = renderChart();
    expect(screen.getAllByTestId('gap')).toHaveLength(1);
    const emphasis = container.querySelector('path.emphasis');
    expect(emphasis?.getAttribute('d')?.match(/M/g)).toHaveLength(2);
  });

  it('can be read with the keyboard', async () => {
    renderChart();
    const reader = screen.getByRole('slider');
    expect(screen.queryByTestId('crosshair')).not.toBeInTheDocument();
    await userEvent.tab();
    expect(reader).toHaveFocus();
    await userEvent.keyboard('{End}');
    expect(reader).toHaveAttribute(
      'aria-valuetext',
      expect.stringMatching(/path 50 ms, ledger 5.0 ms$/),
    );
    await userEvent.keyboard('{ArrowLeft}');
    expect(reader).toHaveAttribute(
      'aria-valuetext',
      expect.stringMatching(/path not observed, ledger no requests$/),
    );
    expect(screen.getByTestId('chart-tooltip')).toHaveTextContent(
      'not observed',
    );
    await userEvent.keyboard('{Home}');
    expect(reader).toHaveAttribute('aria-valuenow', '0');
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByTestId('crosshair')).not.toBeInTheDocument();
  });

  it('follows the mouse and forgets it', () => {
    renderChart();
    const reader = screen.getByRole('slider');
    fireEvent.pointerMove(reader, { clientX: 0, clientY: 5 });
    expect(screen.getByTestId('crosshair')).toBeInTheDocument();
    fireEvent.pointerLeave(reader);
    expect(screen.queryByTestId('crosshair')).not.toBeInTheDocument();
  });

  it('switches lines off and on', async () => {
    renderChart();
    const ledger = screen.getByRole('button', { name: 'ledger' });
    expect(ledger).toHaveAttribute('aria-pressed', 'true');
    await userEvent.click(ledger);
    expect(ledger).toHaveAttribute('aria-pressed', 'false');
    expect(screen.getByRole('img')).not.toHaveAccessibleName(/ledger/);
    await userEvent.click(ledger);
    expect(screen.getByRole('img')).toHaveAccessibleName(/ledger/);
  });

  it('gives the same figures as a table', async () => {
    const { container } = renderChart();
    const details = container.querySelector('details')!;
    // jsdom opens details without telling anybody.
    details.open = true;
    fireEvent(details, new Event('toggle'));
    const rows = within(await screen.findByRole('table')).getAllByRole('row');
    expect(rows).toHaveLength(6);
    expect(rows[1]).toHaveTextContent(/50 ms5.0 ms$/);
    expect(rows[2]).toHaveTextContent(/not observedno requests$/);
  });
});

describe('Sparkline', () => {
  it('says that there is no data instead of drawing a line', () => {
    const { container } = render(
      <Sparkline
        label="Uptime"
        points={line('x', [undefined, undefined]).points}
        stepSeconds={60}
        format={text}
      />,
    );
    expect(screen.getByRole('img')).toHaveAccessibleName('Uptime: no data.');
    expect(container.querySelector('path.line')).toBeNull();
    expect(screen.getByTestId('gap')).toBeInTheDocument();
  });

  it('draws and tells what the figures are held against', () => {
    render(
      <Sparkline
        label="Lead time"
        points={line('x', [10, 20]).points}
        stepSeconds={60}
        format={text}
        floor={0}
        threshold={{ value: 40, label: 'Goal 40 ms' }}
      />,
    );
    expect(screen.getByRole('img')).toHaveAccessibleName(/Goal 40 ms\.$/);
    // Within the drawing, though no figure reaches it.
    const y = Number(screen.getByTestId('threshold').getAttribute('y1'));
    expect(y).toBeGreaterThanOrEqual(2);
    expect(y).toBeLessThan(12);
  });
});
