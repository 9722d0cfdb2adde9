import { group } from './checks';
import { equal, must } from './expect';

/** R4 from outside: what was decided under a key is still answered, whatever happened since. */
export const replayChecks = group('replays at the end', {
  'R4: every key is answered as it was': {
    timeout: 300_000,
    run: async ({ client }) => {
      must(client.decided.length > 0, 'R4: nothing was decided in this run');
      for (const { method, url, options, body } of [...client.decided]) {
        const again = await client.send(method, url, options);
        equal(again.status, 200, `R4: the status of ${url} again`);
        equal(again.body, body, `R4: the body of ${url} again`);
      }
    },
  },
});
