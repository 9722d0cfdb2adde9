import { group } from '../checks';
import type { Client } from '../client';
import { equal, eventually, must } from '../expect';
import {
  blockHash,
  canonicalJson,
  leafHash,
  rootOfPath,
  type Block,
} from '../merkle';
import { all, openAccount, transfer } from './ledger';

const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';

/** The proof of a transaction, as soon as it is sealed. */
export function proofOf(
  client: Client,
  id: string,
  timeout: number,
): Promise<any> {
  return eventually(
    `the proof of transaction ${id}`,
    async () => {
      const answer = await client.get(`/v1/audit/proof/${id}`);
      if (answer.status === 200) return answer.body;
      equal(answer.body.code, 'audit-not-sealed', 'why there is no proof yet');
      must(
        /^[0-9]+$/.test(answer.headers.get('retry-after') ?? ''),
        'audit-not-sealed has no Retry-After',
      );
      return undefined;
    },
    { timeout, pause: 50 },
  );
}

/** Re-computes a proof down to the block hash. Throws at the first step that does not fit. */
export async function checkProof(client: Client, proof: any): Promise<void> {
  const what = `the proof of ${proof.transactionId}`;
  const { reversal, resolution, ...document } = await client.expect(
    200,
    'GET',
    `/v1/transactions/${proof.transactionId}`,
  );
  equal(proof.document, document, `${what}: the sealed form`);
  const leaf = leafHash(canonicalJson(document));
  equal(leaf.toString('hex'), proof.leafHash, `${what}: the leaf`);
  const root = rootOfPath(
    leaf,
    proof.leafIndex,
    proof.block.count,
    proof.path.map((hash: string) => Buffer.from(hash, 'hex')),
  );
  equal(root?.toString('hex'), proof.block.merkleRoot, `${what}: the root`);
  equal(blockHash(proof.block), proof.block.hash, `${what}: the block`);
}

/** Re-computes the whole chain. Gives its blocks by shard and seq. */
export async function checkChain(client: Client): Promise<Map<string, Block>> {
  // The head first: blocks that come meanwhile are after it.
  const head = await client.expect(200, 'GET', '/v1/audit/head');
  const blocks: Block[] = await all(
    client,
    '/v1/audit/blocks',
    200,
    block => `${block.shard}/${block.seq}`,
  );
  const newest = new Map<number, Block>();
  for (const block of blocks) {
    const before = newest.get(block.shard);
    const what = `R7: block ${block.seq} of shard ${block.shard}`;
    equal(block.version, 1, `${what}: version`);
    equal(block.seq, (before?.seq ?? 0) + 1, `${what}: seq`);
    equal(block.prevHash, before?.hash ?? '0'.repeat(64), `${what}: prevHash`);
    equal(blockHash(block), block.hash, `${what}: hash`);
    newest.set(block.shard, block);
  }
  const found = new Map(
    blocks.map(block => [`${block.shard}/${block.seq}`, block]),
  );
  if (head.block === null)
    equal(blocks.length, 0, 'the number of blocks without a head');
  else
    equal(
      found.get(`${head.block.shard}/${head.block.seq}`),
      head.block,
      'R7: the head of the chain',
    );
  return found;
}

export const auditChecks = group('audit', {
  'proves that a transaction is in the chain': {
    timeout: 120_000,
    run: async ({ client, settings }) => {
      const [a, b] = [await openAccount(client), await openAccount(client)];
      // Asked for at once, before the sealer can have come by: one of many is early enough.
      let early = 0;
      const posted: string[] = [];
      for (let i = 0; i < 20; i++) {
        const { id } = await transfer(client, a, b, '1', {
          externalRef: `Zoë "${i}" \u2028`,
          metadata: { b: '2', a: '1', 'A.1': 'ä \\' },
        });
        posted.push(id);
        const answer = await client.get(`/v1/audit/proof/${id}`);
        if (answer.status === 409) early += 1;
      }
      must(
        early > 0,
        'no transaction was answered with audit-not-sealed right after it was posted',
      );
      const reversal = await client.expect(
        201,
        'POST',
        `/v1/transactions/${posted[0]}/reversal`,
        { body: {} },
      );
      // Sealed after the others are, so in a later block: a chain has at least two.
      await proofOf(client, reversal.id, settings.patience);
      const later = await transfer(client, a, b, '1');
      for (const id of [...posted, reversal.id, later.id]) {
        const proof = await proofOf(client, id, settings.patience);
        equal(proof.transactionId, id, 'the transaction of the proof');
        await checkProof(client, proof);
        const chain = await checkChain(client);
        equal(
          chain.get(`${proof.block.shard}/${proof.block.seq}`),
          proof.block,
          'the block of the proof in the chain',
        );
      }
    },
  },

  'keeps up with what is written': async ({ client, settings }) => {
    const head = await eventually(
      'a lag of less than 10 s',
      async () => {
        const now = await client.expect(200, 'GET', '/v1/audit/head');
        return now.lagSeconds < 10 ? now : undefined;
      },
      { timeout: settings.patience },
    );
    must(head.block !== null, 'nothing was sealed');
    equal(
      (await client.expect(200, 'GET', '/v1/audit/blocks?limit=1')).items[0]
        .seq,
      1,
      'the first block',
    );
    for (const query of ['limit=0', 'cursor=%21'])
      await client.refuse(
        'validation-failed',
        'GET',
        `/v1/audit/blocks?${query}`,
      );
  },

  'proves nothing about what is not there': async ({ client }) => {
    await client.refuse('not-found', 'GET', `/v1/audit/proof/${NOWHERE}`);
    await client.refuse('validation-failed', 'GET', '/v1/audit/proof/x');
  },
});
