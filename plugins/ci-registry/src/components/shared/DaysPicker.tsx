import { ToggleButton, ToggleButtonGroup } from '@backstage/ui';
import { DAYS } from '../../lib/deliveryView';

/** Picks the length of the window. */
export function DaysPicker(props: {
  days: number;
  onChange: (days: number) => void;
}) {
  return (
    <ToggleButtonGroup
      aria-label="Time window"
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[String(props.days)]}
      onSelectionChange={keys => {
        const [next] = [...keys];
        if (next) {
          props.onChange(Number(next));
        }
      }}
    >
      {DAYS.map(days => (
        <ToggleButton
          key={days}
          id={String(days)}
          aria-label={`Last ${days} days`}
        >
          {`${days}d`}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
