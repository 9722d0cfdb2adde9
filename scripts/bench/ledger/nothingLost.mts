/** After a crash: is everything there that was promised, and nothing twice? Asked over the API alone. */
import { HttpLoad, type Request } from './HttpLoad.mts';

export interface Posted {
  request: Request;
  /** 0 when the connection was lost. */
  status: number;
  body: string;
}

export interface Verdict {
  /** Requests that were answered 201 during the run. */
  answered: number;
  /** Of those, how many the service does not know any more, or knows otherwise. */
  missing: number;
  /** Requests without a decision (connection lost, 503, 5xx) that were sent again with their key. */
  retried: number;
  /** Keys that lead to two different transactions. */
  twice: number;
}

/**
 * Sends every request of the run again with its own key. One that was answered 201 must be replayed with the same transaction; one that was
 * not decided is carried out now or was before, and a further repetition must find the same transaction.
 */
export async function checkNothingLost(
  url: string,
  posted: Posted[],
): Promise<Verdict> {
  const load = new HttpLoad(url, 64);
  const verdict: Verdict = { answered: 0, missing: 0, retried: 0, twice: 0 };
  const again = async (request: Request) => {
    for (let attempt = 0; ; attempt++) {
      const answer = await load.post(request);
      if (![0, 429, 503].includes(answer.status) || attempt === 20)
        return answer;
      await new Promise(resolve => setTimeout(resolve, 250));
    }
  };
  const idOf = (body: string) => (JSON.parse(body) as { id: string }).id;
  const queue = [...posted];
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      for (let one = queue.pop(); one; one = queue.pop()) {
        const first = await again(one.request);
        if (one.status === 201) {
          verdict.answered += 1;
          if (first.status !== 200 || idOf(first.body) !== idOf(one.body))
            verdict.missing += 1;
        } else {
          verdict.retried += 1;
          const second = await again(one.request);
          if (
            ![200, 201].includes(first.status) ||
            second.status !== 200 ||
            idOf(first.body) !== idOf(second.body)
          )
            verdict.twice += 1;
        }
      }
    }),
  );
  load.close();
  return verdict;
}
