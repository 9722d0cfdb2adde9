import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mockServices } from '@backstage/backend-test-utils';
import { createMockActionContext } from '@backstage/plugin-scaffolder-node-test-utils';

/** An action context that keeps checkpoints, logs and outputs. */
export function createContext<T extends Record<string, unknown>>(options: {
  input: T;
  workspacePath: string;
  checkpoints?: Map<string, unknown>;
}) {
  const logger = mockServices.logger.mock();
  const checkpoints = options.checkpoints ?? new Map<string, unknown>();
  const outputs: Record<string, unknown> = {};
  const context = createMockActionContext({
    input: options.input as never,
    workspacePath: options.workspacePath,
  });
  return {
    outputs,
    checkpoints,
    /** Everything that was logged, one entry per line. */
    lines: () =>
      [logger.info, logger.warn, logger.error].flatMap(log =>
        log.mock.calls.map(call => String(call[0])),
      ),
    context: {
      ...context,
      logger,
      createTemporaryDirectory: async () =>
        mkdtempSync(join(tmpdir(), 'rocket-action-')),
      output: (name: string, value: unknown) => {
        outputs[name] = value;
      },
      async checkpoint({
        key,
        fn,
      }: {
        key: string;
        fn: () => Promise<unknown>;
      }) {
        if (!checkpoints.has(key)) {
          checkpoints.set(key, await fn());
        }
        return checkpoints.get(key);
      },
    } as never,
  };
}
