import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { PeerUnavailable } from '#kernel/peer-errors';
import { turnsOf } from '#testing/turns-of';
import { idsAsked, type StateIds } from './state-questions.js';

const idOf = (n: number): string => `$${String(n).padStart(43, 'a')}`;

function read(answer: unknown): Promise<StateIds | undefined> {
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  return idsAsked('!r:m.example' as RoomId, '$e' as EventId).readBytes(Buffer.from(text));
}

describe('the ids of a state', () => {
  it('are read as other servers write them, without what is none', async () => {
    const [one, other] = [idOf(1), idOf(2)];
    const pduIds = [one, 'x', 5, null, { a: [1] }, `$${'x'.repeat(3_000)}`, '$ä:m.example'];
    expect(await read({ auth_chain_ids: [other], pdu_ids: pduIds, else: [1] })).toEqual({
      state: [one, '$ä:m.example'],
      authChain: [other],
    });
    expect(await read(String.raw`{ "pdu_ids" : [ "\u0024a\/b:m.example", bad ], "auth_chain_ids": [] }`)).toEqual({
      state: ['$a/b:m.example'],
      authChain: [],
    });
  });

  it('are nothing that can be used where a list is lacking, or longer than that of any room', async () => {
    for (const answer of [{}, { pdu_ids: [] }, { pdu_ids: {}, auth_chain_ids: [] }]) {
      expect(await read(answer)).toBeUndefined();
    }
    const many = '1,'.repeat(500_000);
    expect(await read(`{"pdu_ids":[${many}1],"auth_chain_ids":[]}`)).toBeUndefined();
    await expect(read(`{"pdu_ids":[${many}1],"auth_chain_ids":[${many}1]}`)).rejects.toThrow(PeerUnavailable);
    await expect(read('[]')).rejects.toThrow(PeerUnavailable);
  });

  it('are read while everything else has its turn, for large rooms have hundreds of thousands', async () => {
    const answer = { pdu_ids: Array.from({ length: 1_000 }, (_, n) => idOf(n)), auth_chain_ids: [] };
    let told: StateIds | undefined;
    expect(await turnsOf(async () => (told = await read(answer)))).toBeGreaterThan(100);
    expect(told?.state).toHaveLength(1_000);
  });
});
