import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import type { PathDetail } from '@rocket/plugin-critical-paths-common';
import {
  Card,
  CardBody,
  Text,
  ToggleButton,
  ToggleButtonGroup,
} from '@backstage/ui';
import {
  ChartLegend,
  seriesColor,
  seriesDash,
  SignalValue,
  TimeSeriesChart,
  type ChartSeries,
} from '@rocket/rocket-react';
import {
  boardValue,
  FIGURES,
  figureOf,
  pointsOf,
  thresholdsOf,
  type Figure,
  type Percentile,
} from '../../lib/figures';
import { SIGNAL_OF } from '../../lib/signalBoard';
import { ChangeNote } from '../board/ChangeNote';
import { markersOf } from './ChangesSection';
import styles from './PathPage.module.css';

function linesOf(
  path: PathDetail,
  figure: Figure,
  percentile: Percentile,
): ChartSeries[] {
  const applications = path.applicationDetails
    .filter(application => application.known)
    .map((application, index) => ({
      id: application.entityRef,
      label: application.title,
      color: seriesColor(index),
      dash: seriesDash(index),
      points: pointsOf(application.series, figure, percentile),
    }));
  return [
    {
      id: path.entityRef,
      label: 'Whole path',
      emphasis: true,
      points: pointsOf(path.series, figure, percentile),
    },
    ...applications,
  ];
}

/** The four signals over the window: one thick line for the path, one for each application. */
export function SignalCharts({ path }: { path: PathDetail }) {
  const [params, setParams] = useSearchParams();
  const percentile: Percentile =
    params.get('percentile') === 'p99' ? 'p99' : 'p95';
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [cursor, setCursor] = useState<number | null>(null);
  const charts = useMemo(
    () =>
      (Object.keys(FIGURES) as Figure[]).map(figure => ({
        figure,
        info: FIGURES[figure],
        series: linesOf(path, figure, percentile),
        thresholds: thresholdsOf(path.objectives, figure),
      })),
    [path, percentile],
  );

  const markers = useMemo(() => markersOf(path), [path]);

  return (
    <div className={styles.charts}>
      {charts[0].series.length > 1 && (
        <ChartLegend
          series={charts[0].series}
          hidden={hidden}
          onChange={setHidden}
        />
      )}
      <div className={styles.chartGrid}>
        {charts.map(({ figure, info, series, thresholds }) => (
          <Card key={figure}>
            <CardBody>
              <div className={styles.chartHead}>
                <div>
                  <Text as="h3" variant="body-medium" weight="bold">
                    {info.label}
                    {figure === 'latency' && `, ${percentile}`}
                  </Text>
                  <Text as="p" variant="body-small" color="secondary">
                    {info.hint}
                  </Text>
                </div>
                {figure === 'latency' && (
                  <ToggleButtonGroup
                    aria-label="Percentile"
                    selectionMode="single"
                    disallowEmptySelection
                    selectedKeys={[percentile]}
                    onSelectionChange={keys => {
                      const wanted = [...keys][0];
                      setParams(
                        current => {
                          const next = new URLSearchParams(current);
                          if (wanted === 'p99') {
                            next.set('percentile', 'p99');
                          } else {
                            next.delete('percentile');
                          }
                          return next;
                        },
                        { replace: true },
                      );
                    }}
                  >
                    <ToggleButton id="p95">p95</ToggleButton>
                    <ToggleButton id="p99">p99</ToggleButton>
                  </ToggleButtonGroup>
                )}
                <div className={styles.headFigure}>
                  <SignalValue
                    figure={figureOf(path.signals, figure, percentile)}
                    size="medium"
                  />
                  <ChangeNote
                    signal={SIGNAL_OF[figure]}
                    value={boardValue(path.signals, figure, percentile)}
                    previous={boardValue(
                      path.previous.signals,
                      figure,
                      percentile,
                    )}
                  />
                </div>
              </div>
              <TimeSeriesChart
                title={`${info.label}${
                  figure === 'latency' ? ` ${percentile}` : ''
                } of ${path.title}.`}
                series={series}
                stepSeconds={path.series.stepSeconds}
                from={Date.parse(path.from)}
                to={Date.parse(path.to)}
                format={info.text}
                thresholds={thresholds}
                markers={markers}
                floor={info.floor}
                ceiling={info.ceiling}
                minSpan={info.minSpan}
                hidden={hidden}
                onHiddenChange={setHidden}
                legend={false}
                cursor={cursor}
                onCursorChange={setCursor}
              />
            </CardBody>
          </Card>
        ))}
      </div>
    </div>
  );
}
