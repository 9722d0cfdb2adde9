import type {
  FigureExplanation,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { Accordion, AccordionPanel, AccordionTrigger } from '@backstage/ui';
import { formatTimestamp, ScrollRegion } from '@rocket/rocket-react';
import { figureLabel, sentence } from '../../lib/figures';
import styles from './PathPage.module.css';

/** The queries of all figures, each once: most figures come from the same ones. */
function queriesOf(explanations: FigureExplanation[]) {
  const byText = new Map<
    string,
    FigureExplanation['queries'][number] & { figures: string[] }
  >();
  for (const { figure, queries } of explanations) {
    for (const query of queries) {
      const key = [query.source, query.account, query.query].join('\n');
      const known = byText.get(key) ?? { ...query, figures: [] };
      known.figures.push(figureLabel(figure).toLocaleLowerCase('en'));
      byText.set(key, known);
    }
  }
  return Array.from(byText, ([key, query]) => ({ key, ...query }));
}

/** How the figures are made: formula, query, source and how far the data reaches. */
export function Explanations({ path }: { path: PathDetail }) {
  const { sources, watermark, newestData } = path.data;
  const queries = queriesOf(path.explanations);
  return (
    <Accordion className={styles.explain}>
      <AccordionTrigger
        title="How these figures are made"
        subtitle="Formulas, queries and where the data comes from"
      />
      <AccordionPanel>
        <div className={styles.explanations}>
          <dl className={styles.formulas}>
            {path.explanations.map(({ figure, formula }) => (
              <div key={figure}>
                <dt>{figureLabel(figure)}</dt>
                <dd>{sentence(formula)}</dd>
              </div>
            ))}
          </dl>
          <p className={styles.formula}>
            Good and valid requests are added, percentages are never averaged.
            Latency percentiles are read from a histogram; their error is at
            most {(path.signals.latency.relativeError * 100).toFixed(1)} %.
            {sources.length > 0 && ` Source: ${sources.join(', ')}.`}
            {watermark && ` Read up to ${formatTimestamp(watermark)}.`}
            {newestData &&
              ` Newest minute with requests: ${formatTimestamp(newestData)}.`}
          </p>
          {queries.map(({ key, source, account, query, figures }) => (
            <figure key={key} className={styles.query}>
              <figcaption>
                As last sent to {source}
                {account && `, account ${account}`}, for {figures.join(', ')}
              </figcaption>
              <ScrollRegion label={`Query for ${figures.join(', ')}`}>
                <pre>{query}</pre>
              </ScrollRegion>
            </figure>
          ))}
          {queries.length === 0 && (
            <p className={styles.formula}>No query has been sent yet.</p>
          )}
        </div>
      </AccordionPanel>
    </Accordion>
  );
}
