import { useState } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import type { PathDetail } from '@rocket/plugin-critical-paths-common';
import {
  Accordion,
  AccordionPanel,
  AccordionTrigger,
  Alert,
  Skeleton,
} from '@backstage/ui';
import {
  BudgetBar,
  formatAvailability,
  formatDuration,
  formatThroughput,
  ScrollRegion,
  SignalValue,
  tableStyles as table,
} from '@rocket/rocket-react';
import { useQuery } from '@tanstack/react-query';
import { criticalPathsApiRef } from '../../api/CriticalPathsApi';
import { describeObjective } from '../../lib/figures';

function monthName(month: string): string {
  return new Date(`${month}-15T00:00:00Z`).toLocaleDateString('en-GB', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
}

function Months({ path }: { path: PathDetail }) {
  const api = useApi(criticalPathsApiRef);
  const { data, error, isPending } = useQuery({
    queryKey: ['history', path.entityRef],
    queryFn: ({ signal }) => api.getHistory(path, { signal }),
    refetchInterval: false,
  });
  if (error && !data) {
    return (
      <Alert
        status="danger"
        icon
        title="The history could not be read"
        description={error.message}
      />
    );
  }
  if (isPending || !data) {
    return <Skeleton width="100%" height={120} />;
  }
  if (data.months.length === 0) {
    return <p>Nothing was measured in the last thirteen months.</p>;
  }
  const objectives = path.objectives
    .map(({ objective }, index) => ({ objective, index }))
    .filter(({ objective }) => objective.sli !== 'throughput');
  return (
    <ScrollRegion label="History by month" className={table.box}>
      <table className={table.table}>
        <caption className={table.caption}>
          Calendar months (UTC), the newest first.
        </caption>
        <thead>
          <tr>
            <th scope="col">Month</th>
            <th scope="col">Uptime</th>
            <th scope="col">Throughput</th>
            <th scope="col">Latency, p95</th>
            {objectives.map(({ objective, index }) => (
              <th key={index} scope="col">
                Budget: {describeObjective(objective)}
              </th>
            ))}
            <th scope="col">Observed</th>
          </tr>
        </thead>
        <tbody>
          {data.months.map(month => (
            <tr key={month.month}>
              <th scope="row">{monthName(month.month)}</th>
              <td>
                <SignalValue
                  figure={formatAvailability(month.signals.availability)}
                />
              </td>
              <td>
                <SignalValue
                  figure={formatThroughput(month.signals.throughputPerMinute)}
                />
              </td>
              <td>
                <SignalValue
                  figure={formatDuration(month.signals.latency.p95Ms)}
                />
              </td>
              {objectives.map(({ index }) => (
                <td key={index}>
                  <BudgetBar
                    remaining={
                      month.objectives.find(o => o.objective === index)
                        ?.budgetRemaining ?? null
                    }
                    label={`Error budget in ${monthName(month.month)}`}
                  />
                </td>
              ))}
              <td>{Math.floor(month.observed * 100)} %</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

/** The path by month, up to thirteen of them; read when it is opened. */
export function HistorySection({ path }: { path: PathDetail }) {
  const [opened, setOpened] = useState(false);
  return (
    <Accordion onExpandedChange={open => setOpened(opened || open)}>
      <AccordionTrigger
        title="History by month"
        subtitle="Up to thirteen calendar months, from day sums"
      />
      <AccordionPanel>{opened && <Months path={path} />}</AccordionPanel>
    </Accordion>
  );
}
