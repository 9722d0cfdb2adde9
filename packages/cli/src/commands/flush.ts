import { type Call, openPortal, openQueue } from '../context';
import { flush as flushQueue } from '../deliver';
import { EXIT } from '../errors';
import { Git } from '../git';
import { type Options, PORTAL, PUSH } from '../options';

export const OPTIONS: Options = { ...PORTAL, queue: PUSH.queue };

/** Sends what waits. */
export async function flush(call: Call): Promise<number> {
  const { output } = call;
  const queue = openQueue(call, new Git(call.cwd));
  const portal = openPortal(call);
  const entries = queue.read();
  const result = await flushQueue(queue, portal, output);
  const elsewhere = entries.filter(e => e.portal !== portal.address);
  if (elsewhere.length > 0)
    output.warn(
      `${elsewhere.length} wait for ${[
        ...new Set(elsewhere.map(entry => entry.portal)),
      ].join(', ')}`,
    );
  output.info(
    `${result.sent} sent, ${result.refused} refused, ${
      result.waiting + result.kept
    } waiting`,
  );
  if (result.waiting > 0) output.error(result.reason!);
  const exitCode =
    (result.waiting > 0 && EXIT.away) ||
    (result.refused + result.kept > 0 && EXIT.refused) ||
    EXIT.ok;
  output.result({ ok: exitCode === EXIT.ok, ...result });
  return exitCode;
}
