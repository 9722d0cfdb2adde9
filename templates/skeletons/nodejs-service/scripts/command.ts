/** `npm run <command>`: one of the things that this service does once and then ends. Without a name, says which there are. */
import { createRuntime } from '../src/platform/runtime.ts';
import { allCommands } from '../src/platform/workers.ts';
import { definition } from '../src/service.ts';

const [name = '', ...args] = process.argv.slice(2);
let code = 2;
try {
  const runtime = createRuntime(definition, { LOG_LEVEL: 'warn', ...process.env });
  const commands = allCommands(runtime);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command) {
    code = await command.run(args, line => console.log(line));
  } else {
    const known = Object.entries(commands).map(([key, { summary }]) => `  ${key}  ${summary}`);
    console.error([`There is no command "${name}". There are:`, ...known].join('\n'));
  }
  await runtime.close();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
}
process.exit(code);
