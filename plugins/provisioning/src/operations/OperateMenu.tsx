import { usePermission } from '@backstage/plugin-permission-react';
import {
  Button,
  Menu,
  MenuItem,
  MenuSeparator,
  MenuTrigger,
  NumberField,
  Select,
  TextField,
} from '@backstage/ui';
import {
  RiArchiveLine,
  RiArrowDownSLine,
  RiArrowGoBackLine,
  RiBox3Line,
  RiKey2Line,
  RiRocket2Line,
  RiStackLine,
} from '@remixicon/react';
import {
  provisioningOperatePermission,
  type Environment,
  type OperationKind,
  type PlanRequest,
} from '@rocket/plugin-provisioning-common';
import { useState } from 'react';
import { useEnvironments, useVersions } from './hooks';
import { KINDS } from './looks';
import { PlanDialog } from './PlanDialog';

type Asked = Exclude<OperationKind, 'undo' | 'environment-delete'>;

/** Kinds that are about one environment. */
const IN_ENVIRONMENT: readonly Asked[] = [
  'deploy',
  'rollback',
  'scale',
  'rotate',
];

interface Fields {
  environment?: string;
  ref: string;
  commit?: string;
  replicas: number;
  branch: string;
  ttlHours: number;
}

/** The request that the fields make; undefined while something is missing. */
export function requestOf(
  kind: Asked,
  subject: string,
  fields: Fields,
): PlanRequest | undefined {
  const { environment, ref, commit, replicas, branch, ttlHours } = fields;
  const scope = IN_ENVIRONMENT.includes(kind) ? { environment } : {};
  const request = (input: PlanRequest['input']) => ({
    kind,
    subject,
    ...scope,
    input,
  });
  if ('environment' in scope && !environment) return undefined;
  switch (kind) {
    case 'deploy':
      return ref.trim() ? request({ ref: ref.trim() }) : undefined;
    case 'rollback':
      return commit ? request({ commit }) : undefined;
    case 'scale':
      return Number.isInteger(replicas) && replicas >= 0
        ? request({ replicas })
        : undefined;
    case 'environment-create':
      return branch.trim() && ttlHours > 0
        ? request({ branch: branch.trim(), ttlHours })
        : undefined;
    default:
      return request({});
  }
}

/** A field for what a kind of operation asks for. */
function KindField(props: {
  kind: Asked;
  subject: string;
  fields: Fields;
  onChange(change: Partial<Fields>): void;
}) {
  const { kind, subject, fields, onChange } = props;
  const versions = useVersions(
    subject,
    fields.environment,
    kind === 'rollback',
  );
  switch (kind) {
    case 'deploy':
      return (
        <TextField
          label="Version"
          description="A branch, a tag or a commit of its repository."
          isRequired
          value={fields.ref}
          onChange={ref => onChange({ ref })}
        />
      );
    case 'rollback':
      return (
        <Select
          label="Go back to"
          description={
            versions.data?.length === 0
              ? 'No earlier version of it has been deployed there.'
              : 'Versions that were deployed there before.'
          }
          isRequired
          isDisabled={!versions.data?.length}
          options={(versions.data ?? []).map(({ commit, label }) => ({
            id: commit,
            label,
          }))}
          selectedKey={fields.commit ?? null}
          onSelectionChange={key => onChange({ commit: String(key) })}
        />
      );
    case 'scale':
      return (
        <NumberField
          label="Instances"
          minValue={0}
          maxValue={100}
          value={fields.replicas}
          onChange={replicas => onChange({ replicas })}
        />
      );
    case 'environment-create':
      return (
        <>
          <TextField
            label="Branch"
            description="Its newest commit runs in an environment of its own, with a database of its own."
            isRequired
            value={fields.branch}
            onChange={branch => onChange({ branch })}
          />
          <NumberField
            label="Hours"
            description="How long it stands; it can be prolonged."
            minValue={1}
            value={fields.ttlHours}
            onChange={ttlHours => onChange({ ttlHours })}
          />
        </>
      );
    default:
      return null;
  }
}

function AskDialog(props: {
  kind: Asked;
  subject: string;
  environments: Environment[];
  onClose(): void;
}) {
  const { kind, subject, environments, onClose } = props;
  const [fields, setFields] = useState<Fields>({
    environment: environments[0]?.name,
    ref: '',
    replicas: 1,
    branch: '',
    ttlHours: 72,
  });
  const change = (next: Partial<Fields>) =>
    setFields(current => ({ ...current, ...next }));
  return (
    <PlanDialog
      title={KINDS[kind]}
      request={requestOf(kind, subject, fields)}
      onClose={onClose}
    >
      {IN_ENVIRONMENT.includes(kind) && environments.length > 1 && (
        <Select
          label="Environment"
          options={environments.map(({ name, title }) => ({
            id: name,
            label: title,
          }))}
          selectedKey={fields.environment ?? null}
          onSelectionChange={key =>
            change({ environment: String(key), commit: undefined })
          }
        />
      )}
      <KindField
        kind={kind}
        subject={subject}
        fields={fields}
        onChange={change}
      />
    </PlanDialog>
  );
}

const ITEMS: { kind: Asked; Icon: typeof RiKey2Line }[] = [
  { kind: 'deploy', Icon: RiRocket2Line },
  { kind: 'rollback', Icon: RiArrowGoBackLine },
  { kind: 'scale', Icon: RiStackLine },
  { kind: 'rotate', Icon: RiKey2Line },
  { kind: 'environment-create', Icon: RiBox3Line },
];

/** What can be done with a component after its first day; each begins with a plan. */
export function OperateMenu({ subject }: { subject: string }) {
  const [asking, setAsking] = useState<Asked>();
  const { allowed } = usePermission({
    permission: provisioningOperatePermission,
  });
  const environments = useEnvironments();
  if (!allowed) {
    return null;
  }
  // Those made on demand run for one component only.
  const offered = (environments.data ?? []).filter(
    ({ onDemand }) =>
      !onDemand ||
      (onDemand.subject === subject && onDemand.state !== 'deleted'),
  );
  return (
    <>
      <MenuTrigger>
        <Button
          variant="primary"
          size="small"
          iconEnd={<RiArrowDownSLine />}
          isDisabled={!environments.data}
        >
          Operate
        </Button>
        <Menu>
          {ITEMS.map(({ kind, Icon }) => (
            <MenuItem
              key={kind}
              iconStart={<Icon />}
              onAction={() => setAsking(kind)}
            >
              {KINDS[kind]}…
            </MenuItem>
          ))}
          <MenuSeparator />
          <MenuItem
            color="danger"
            iconStart={<RiArchiveLine />}
            onAction={() => setAsking('retire')}
          >
            {KINDS.retire}…
          </MenuItem>
        </Menu>
      </MenuTrigger>
      {asking && (
        <AskDialog
          kind={asking}
          subject={subject}
          environments={offered}
          onClose={() => setAsking(undefined)}
        />
      )}
    </>
  );
}
