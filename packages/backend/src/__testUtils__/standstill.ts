/**
 * Places in a run where a process can be made to stand still, so that whoever
 * started it can kill it exactly there. Imported before everything else, since
 * what is replaced here is what others import.
 */
import childProcess from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';

/** The next one is where it stands still. */
let armed: string | undefined;

process.on('message', (message: { arm: string }) => {
  armed = message.arm;
  process.send!({ armed });
});

/** Comes back unless this is the place. */
async function passing(place: string): Promise<void> {
  const stands = armed === place;
  if (stands) armed = undefined;
  process.send!({ place, stands });
  if (stands) await new Promise(() => {});
}

/** Begins of steps, once they are in the log of the task. */
function watchSteps() {
  const scaffolder = dirname(
    require.resolve('@backstage/plugin-scaffolder-backend/package.json'),
  );
  const { DatabaseTaskStore } = require(join(
    scaffolder,
    'dist/scaffolder/tasks/DatabaseTaskStore.cjs.js',
  ));
  const emit = DatabaseTaskStore.prototype.emitLogEvent;
  DatabaseTaskStore.prototype.emitLogEvent = async function emitLogEvent(
    event: any,
  ) {
    await emit.call(this, event);
    if (/^Beginning step/.test(event.body.message)) {
      await passing(`begin ${event.body.stepId}`);
    }
  };
}

/** The Git program, before anybody hears that it has ended. */
function watchGit() {
  const execFile: any = childProcess.execFile;
  const after = async (file: string, args: string[]) => {
    if (file !== 'git') return;
    if (args[0] === 'init' && args.includes('--bare'))
      await passing('git init');
    if (args[0] === 'push') await passing('git push');
  };
  const watched = (file: string, args: string[], options: any, done: any) =>
    execFile(file, args, options, (...result: unknown[]) =>
      after(file, args).then(() => done?.(...result)),
    );
  Object.assign(childProcess, {
    execFile: Object.assign(watched, {
      [promisify.custom]: async (
        file: string,
        args: string[],
        options: object,
      ) => {
        const result = await execFile[promisify.custom](file, args, options);
        await after(file, args);
        return result;
      },
    }),
  });
}

/** Databases, before their maker hears of them. */
function watchPostgres() {
  const query: any = Client.prototype.query;
  (Client.prototype as any).query = function watched(...args: any[]) {
    const answer = query.apply(this, args);
    const text = String(args[0]?.text ?? args[0]);
    return /^\s*CREATE DATABASE/i.test(text) && answer?.then
      ? answer.then(async (result: unknown) => {
          await passing('create database');
          return result;
        })
      : answer;
  };
}

/** What one plugin writes at another one, before it hears of it. */
function watchRequests() {
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (init?.method === 'POST' && response.ok) {
      const { pathname } = new URL(String(input));
      if (/^\/api\/ci-registry\/(pushes|entities)$/.test(pathname)) {
        await passing('push entities');
      }
      if (pathname === '/api/provisioning/effects') {
        const { type, deferred } = JSON.parse(String(init.body));
        await passing(`${deferred ? 'expect' : 'request'} ${type}`);
      }
    }
    return response;
  };
}

watchGit();
watchPostgres();
watchRequests();
watchSteps();
