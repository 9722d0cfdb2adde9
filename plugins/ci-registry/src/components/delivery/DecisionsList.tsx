import {
  ciRegistryAuditPermission,
  type IdentityDecision,
  type PusherIdentity,
} from '@rocket/plugin-ci-registry-common';
import { Switch } from '@backstage/ui';
import { RiCheckLine, RiProhibitedLine } from '@remixicon/react';
import {
  formatTimestamp,
  itemsOf,
  ScrollRegion,
  tableStyles,
  ToneBadge,
  useElementWidth,
  pageStyles,
  Empty,
  MoreButton,
} from '@rocket/rocket-react';
import { useDecisions } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { PipelineName } from '../shared/Source';
import styles from './DeliveryPage.module.css';
import type { ViewProps } from './DoraBoard';

const TABLE_MIN_WIDTH = 820;

const TYPES: Record<PusherIdentity['type'], string> = {
  github: 'GitHub Actions',
  gitlab: 'GitLab CI',
  oidc: 'OpenID Connect',
  static: 'static token',
  user: 'person',
  service: 'service',
};

function Verdict({ decision }: { decision: IdentityDecision }) {
  return decision.allowed ? (
    <ToneBadge
      subject="Decision"
      tone="positive"
      Icon={RiCheckLine}
      label="Let in"
    />
  ) : (
    <ToneBadge
      subject="Decision"
      tone="negative"
      Icon={RiProhibitedLine}
      label="Refused"
    />
  );
}

function Why({ decision }: { decision: IdentityDecision }) {
  return (
    <>
      {decision.reason}
      <span className={tableStyles.sub}>
        <code>{decision.code}</code>
        {decision.rule && `, rule ${decision.rule}`}
      </span>
    </>
  );
}

function Who({ decision }: { decision: IdentityDecision }) {
  const { identity } = decision;
  return (
    <span className={styles.breaks}>
      {identity.subject ?? 'unknown'}
      <span className={tableStyles.sub}>
        {[identity.type && TYPES[identity.type], identity.issuer]
          .filter(Boolean)
          .join(', ')}
      </span>
      {identity.pipeline && (
        <span className={tableStyles.sub}>
          <PipelineName pipeline={identity.pipeline} />
        </span>
      )}
    </span>
  );
}

function Asked({ decision }: { decision: IdentityDecision }) {
  const { request, identity } = decision;
  const refs = request.entityRefs ?? [];
  const others = (request.entityCount ?? refs.length) - 2;
  return (
    <span className={styles.breaks}>
      <code>
        {request.method} {request.path}
      </code>
      <span className={tableStyles.sub}>
        {[
          request.repository ?? identity.repository,
          identity.branch,
          others > 0
            ? `${refs.slice(0, 2).join(', ')} and ${others} more`
            : refs.join(', '),
          request.environments?.join(', '),
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
    </span>
  );
}

/** Decisions on the calls of pipelines, for those who may audit them. */
export function DecisionsList({ view, onChange }: ViewProps) {
  const list = useDecisions(view.refused);
  const [boxRef, width] = useElementWidth(1200);
  const { reading } = list;
  const items = itemsOf(reading.data);
  return (
    <div ref={boxRef} className={pageStyles.board}>
      <div className={pageStyles.filters}>
        <Switch
          label="Only what was refused"
          isSelected={view.refused}
          onChange={refused => onChange({ refused })}
        />
      </div>
      <RegistryState
        reading={reading}
        subject="The decisions"
        permission={ciRegistryAuditPermission.name}
        lines={4}
      />
      {reading.data && items.length === 0 && (
        <Empty
          title={
            view.refused ? 'No call was refused' : 'No pipeline has called yet'
          }
        >
          Each call of a pipeline leaves its decision here, with the identity
          that it proved and the rule that let it in.
        </Empty>
      )}
      {items.length > 0 && width < TABLE_MIN_WIDTH && (
        <ul className={tableStyles.cards} aria-label="Decisions">
          {items.map(decision => (
            <li key={decision.id} className={tableStyles.card}>
              <div className={tableStyles.cardHead}>
                <time dateTime={decision.time}>
                  {formatTimestamp(decision.time)}
                </time>
                <Verdict decision={decision} />
              </div>
              <Who decision={decision} />
              <Asked decision={decision} />
              <div>
                <Why decision={decision} />
              </div>
            </li>
          ))}
        </ul>
      )}
      {items.length > 0 && width >= TABLE_MIN_WIDTH && (
        <ScrollRegion label="Decisions, table" className={tableStyles.box}>
          <table className={tableStyles.table}>
            <caption className={tableStyles.caption}>
              Decisions on the calls of pipelines, the newest first
            </caption>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Decision</th>
                <th scope="col">Who</th>
                <th scope="col">Asked for</th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {items.map(decision => (
                <tr key={decision.id}>
                  <th scope="row">
                    <time dateTime={decision.time}>
                      {formatTimestamp(decision.time)}
                    </time>
                  </th>
                  <td>
                    <Verdict decision={decision} />
                  </td>
                  <td className={styles.reason}>
                    <Who decision={decision} />
                  </td>
                  <td>
                    <Asked decision={decision} />
                  </td>
                  <td className={styles.reason}>
                    <Why decision={decision} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
      <MoreButton list={list} what="decisions" />
    </div>
  );
}
