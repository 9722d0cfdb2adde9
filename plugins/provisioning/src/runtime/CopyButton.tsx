import { ButtonIcon, Tooltip, TooltipTrigger } from '@backstage/ui';
import { RiCheckLine, RiFileCopyLine } from '@remixicon/react';
import { useEffect, useState } from 'react';

const SHOW_DONE_MS = 2_000;

/** Puts a text on the clipboard and says so. */
export function CopyButton(props: { label: string; text: () => string }) {
  const { label, text } = props;
  const [outcome, setOutcome] = useState<'done' | 'failed'>();
  useEffect(() => {
    if (!outcome) {
      return undefined;
    }
    const timer = setTimeout(() => setOutcome(undefined), SHOW_DONE_MS);
    return () => clearTimeout(timer);
  }, [outcome]);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setOutcome('done');
    } catch {
      setOutcome('failed');
    }
  };
  const says = { done: 'Copied', failed: 'The browser did not let us copy' };
  const shown = outcome ? says[outcome] : label;
  return (
    <TooltipTrigger delay={300}>
      <ButtonIcon
        size="small"
        variant="tertiary"
        aria-label={shown}
        icon={outcome === 'done' ? <RiCheckLine /> : <RiFileCopyLine />}
        onPress={copy}
      />
      <Tooltip>{shown}</Tooltip>
    </TooltipTrigger>
  );
}
