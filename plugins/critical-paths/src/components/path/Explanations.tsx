import type {
  FigureExplanation,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { Accordion, AccordionPanel, AccordionTrigger } from '@backstage/ui';
import { formatTimestamp, ScrollRegion } from '@rocket/rocket-react';
import { FIGURES } from '../../lib/figures';
import styles from './PathPage.module.css';

function Explanation({ explanation }: { explanation: FigureExplanation }) {
  return (
    <div className={styles.explanation}>
      <h4 className={styles.explanationTitle}>
        {FIGURES[explanation.figure].label}
      </h4>
      <p className={styles.formula}>{explanation.formula}</p>
      {explanation.queries.map(({ source, account, query }) => (
        <figure key={query} className={styles.query}>
          <figcaption>
            As sent to {source}
            {account && `, account ${account}`}
          </figcaption>
          <ScrollRegion label={`Query of ${FIGURES[explanation.figure].label}`}>
            <pre>{query}</pre>
          </ScrollRegion>
        </figure>
      ))}
    </div>
  );
}

/** How the figures are made: formula, query, source and how far the data reaches. */
export function Explanations({ path }: { path: PathDetail }) {
  const { sources, watermark, newestData } = path.data;
  return (
    <Accordion>
      <AccordionTrigger
        title="How these figures are made"
        subtitle="Formulas, queries and where the data comes from"
      />
      <AccordionPanel>
        <div className={styles.explanations}>
          {path.explanations.map(explanation => (
            <Explanation key={explanation.figure} explanation={explanation} />
          ))}
          <p className={styles.formula}>
            Good and valid requests are added, percentages are never averaged.
            Latency percentiles are read from a histogram; their error is at
            most {(path.signals.latency.relativeError * 100).toFixed(1)} %.
            {sources.length > 0 && ` Source: ${sources.join(', ')}.`}
            {watermark && ` Read up to ${formatTimestamp(watermark)}.`}
            {newestData &&
              ` Newest minute with requests: ${formatTimestamp(newestData)}.`}
          </p>
        </div>
      </AccordionPanel>
    </Accordion>
  );
}
