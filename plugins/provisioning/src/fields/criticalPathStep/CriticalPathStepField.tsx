import { parseEntityRef } from '@backstage/catalog-model';
import { useApi } from '@backstage/frontend-plugin-api';
import { catalogApiRef } from '@backstage/plugin-catalog-react';
import type { FieldExtensionComponentProps } from '@backstage/plugin-scaffolder-react';
import { Radio, RadioGroup, Select, Skeleton } from '@backstage/ui';
import type {
  ParsedCriticalPath,
  StepMember,
} from '@rocket/plugin-critical-paths-common';
import { useQuery } from '@tanstack/react-query';
import { QueryRoot } from '@rocket/rocket-react';
import { Note } from '../../shared/Note';
import styles from './CriticalPathStepField.module.css';
import { loadPaths, loadSteps } from './paths';
import {
  chosenBusinessModel,
  type CriticalPathStepOptions,
  type CriticalPathStepValue,
} from './rules';

type Props = FieldExtensionComponentProps<
  CriticalPathStepValue,
  CriticalPathStepOptions
>;

function nameOf(ref: string): string {
  return parseEntityRef(ref).name;
}

function servedBy(members: StepMember[] | undefined): string {
  if (!members) {
    return 'Looking up who serves it…';
  }
  const names = members
    .filter(member => member.known)
    .map(member => nameOf(member.entityRef));
  return names.length
    ? `Served now by ${names.join(', ')}`
    : 'Served by no application yet';
}

function Steps(props: {
  path: ParsedCriticalPath;
  step: string | undefined;
  isInvalid: boolean;
  isDisabled: boolean;
  onChange: (step: string) => void;
}) {
  const { path, step, isInvalid, isDisabled, onChange } = props;
  const catalog = useApi(catalogApiRef);
  const { data } = useQuery({
    queryKey: ['steps', path.entityRef],
    queryFn: () => loadSteps(catalog, path),
    staleTime: 60_000,
  });
  return (
    <RadioGroup
      label="Step"
      description="Which part of the flow the new service serves"
      isRequired
      isInvalid={isInvalid}
      validationBehavior="aria"
      isDisabled={isDisabled}
      value={step ?? null}
      onChange={onChange}
      className={styles.steps}
    >
      {path.steps.map((item, index) => (
        <Radio key={item.name} value={item.name} className={styles.step}>
          <span className={styles.label}>
            <span className={styles.title}>
              {index + 1}. {item.title}
            </span>{' '}
            <span className={styles.member}>
              {servedBy(
                data?.steps.find(known => known.name === item.name)?.members,
              )}
            </span>{' '}
            {index === 0 && (
              <span className={styles.entry}>
                Entry step: the path's own figures are measured here
              </span>
            )}
          </span>
        </Radio>
      ))}
    </RadioGroup>
  );
}

function Field(props: Props) {
  const { formData, onChange, required, schema, uiSchema, rawErrors } = props;
  const { formContext, idSchema } = props;
  const catalog = useApi(catalogApiRef);
  const { data, error, isPending } = useQuery({
    queryKey: ['paths'],
    queryFn: () => loadPaths(catalog),
    staleTime: 60_000,
  });
  const isDisabled = Boolean(props.disabled || props.readonly);
  const stepErrors = (
    props.errorSchema as { step?: { __errors?: string[] } } | undefined
  )?.step?.__errors;
  const model = chosenBusinessModel(
    (formContext as { formData?: unknown } | undefined)?.formData,
    uiSchema?.['ui:options'],
  );

  if (isPending) {
    return <Skeleton height={64} aria-label="Reading the critical paths" />;
  }
  if (error) {
    return (
      <Note tone="negative" live>
        The critical paths could not be read: {error.message}
      </Note>
    );
  }
  const offered = data.filter(path => !model || path.businessModel === model);
  const path = offered.find(p => p.entityRef === formData?.criticalPath);
  const gone =
    formData?.criticalPath && !path
      ? data.find(p => p.entityRef === formData.criticalPath)?.title ??
        formData.criticalPath
      : undefined;

  return (
    <div className={styles.field}>
      <Select
        id={idSchema?.$id}
        label={schema.title ?? 'Critical path'}
        description={uiSchema?.['ui:description'] ?? schema.description}
        secondaryLabel={required ? 'Required' : undefined}
        placeholder={offered.length ? 'Choose a path' : 'There is none'}
        isRequired={required}
        isDisabled={isDisabled || !offered.length}
        isInvalid={Boolean(rawErrors?.length) && !path}
        validationBehavior="aria"
        options={offered.map(p => ({
          id: p.entityRef,
          label: p.title,
        }))}
        value={path?.entityRef ?? null}
        onChange={key => {
          const chosen = offered.find(p => p.entityRef === key);
          onChange(
            chosen && {
              criticalPath: chosen.entityRef,
              ...(chosen.steps.length === 1
                ? { step: chosen.steps[0].name }
                : {}),
            },
          );
        }}
      />
      {!offered.length && (
        <Note tone="neutral">
          {model
            ? `No critical path belongs to ${nameOf(
                model,
              )}. Choose another business model, or add a CriticalPath to the catalog.`
            : 'The catalog has no critical path yet.'}
        </Note>
      )}
      {gone && offered.length > 0 && (
        <Note tone="negative" live>
          {gone} does not belong to {model ? nameOf(model) : 'the catalog'};
          choose another path.
        </Note>
      )}
      {path && (
        <>
          {path.description && <Note tone="neutral">{path.description}</Note>}
          <Steps
            path={path}
            step={formData?.step}
            isInvalid={Boolean(rawErrors?.length || stepErrors?.length)}
            isDisabled={isDisabled}
            onChange={step => onChange({ criticalPath: path.entityRef, step })}
          />
          {!formData?.step && Boolean(stepErrors?.length) && (
            <Note tone="negative" live>
              Choose the step that the service serves.
            </Note>
          )}
        </>
      )}
    </div>
  );
}

/** A critical path and one of its steps, from the catalog. */
export function CriticalPathStepField(props: Props) {
  return (
    <QueryRoot live={false}>
      <Field {...props} />
    </QueryRoot>
  );
}
