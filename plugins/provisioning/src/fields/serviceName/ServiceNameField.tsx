import { useApi } from '@backstage/frontend-plugin-api';
import type { FieldExtensionComponentProps } from '@backstage/plugin-scaffolder-react';
import { TextField } from '@backstage/ui';
import { useQuery } from '@tanstack/react-query';
import { QueryRoot } from '@rocket/rocket-react';
import { useEffect, useState } from 'react';
import { provisioningApiRef } from '../../api/ProvisioningApi';
import { Note } from '../../shared/Note';
import { explainServiceName, takenText } from './rules';
import styles from './ServiceNameField.module.css';

const TYPING_PAUSE_MS = 300;

type Props = FieldExtensionComponentProps<string>;

function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

function NameStatus(props: {
  name: string;
  shown: string[];
  hasDescription: boolean;
}) {
  const { name, shown, hasDescription } = props;
  const provisioning = useApi(provisioningApiRef);
  const settled = useSettled(name, TYPING_PAUSE_MS);
  const problem = explainServiceName(settled);
  const { data, error } = useQuery({
    queryKey: ['name', settled],
    queryFn: ({ signal }) => provisioning.checkName(settled, signal),
    enabled: !problem,
  });

  if (!name) {
    return hasDescription ? null : (
      <Note tone="neutral">
        3 to 63 small letters, digits and hyphens. It becomes the name of the
        repository, the service and its database.
      </Note>
    );
  }
  if (name !== settled) {
    return <Note tone="busy">Checking…</Note>;
  }
  if (problem) {
    return <Note tone="negative">{problem}</Note>;
  }
  if (error) {
    return (
      <Note tone="negative">
        Whether the name is free could not be checked: {error.message}
      </Note>
    );
  }
  if (!data) {
    return <Note tone="busy">Checking…</Note>;
  }
  if (data.available) {
    return <Note tone="positive">"{name}" is free</Note>;
  }
  const text = takenText(name, data.reason);
  // The form says it too after "Next".
  return shown.includes(text) ? null : <Note tone="negative">{text}</Note>;
}

function Field(props: Props) {
  const { formData, onChange, required, schema, uiSchema, rawErrors } = props;
  const { idSchema, disabled, readonly } = props;
  const id = idSchema?.$id ?? 'service-name';
  const name = formData ?? '';
  const description = uiSchema?.['ui:description'] ?? schema.description;
  return (
    <div className={styles.field}>
      <TextField
        id={id}
        label={schema.title ?? 'Name'}
        description={description}
        // Asked for by the template, for the first field of its form.
        // eslint-disable-next-line jsx-a11y/no-autofocus
        autoFocus={Boolean(uiSchema?.['ui:autofocus'])}
        secondaryLabel={required ? 'Required' : undefined}
        isRequired={required}
        isDisabled={disabled || readonly}
        isInvalid={Boolean(rawErrors?.length)}
        // Otherwise the browser would not let the form be sent while the last error shows.
        validationBehavior="aria"
        placeholder={uiSchema?.['ui:placeholder'] ?? 'card-limits'}
        value={name}
        onChange={value => onChange(value || undefined)}
        autoComplete="off"
        spellCheck="false"
        aria-describedby={`${id}-status`}
      />
      <div id={`${id}-status`} role="status">
        <NameStatus
          name={name}
          shown={rawErrors ?? []}
          hasDescription={Boolean(description)}
        />
      </div>
    </div>
  );
}

/** Name of a new service: says while one types whether it may be used, and why not. */
export function ServiceNameField(props: Props) {
  return (
    <QueryRoot live={false}>
      <Field {...props} />
    </QueryRoot>
  );
}
