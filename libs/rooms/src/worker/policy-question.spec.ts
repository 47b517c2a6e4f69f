import { afterEach, expect, it, vi } from 'vitest';
import type { EventId } from '#kernel/ids';
import { StateTrie, trieOf } from '#protocol/state-trie/state-trie';
import { policyQuestionOf } from './policy-question.js';
import type { RoomTurn } from './room-turn.js';

afterEach(() => vi.restoreAllMocks());

it('whether a policy server is in a room is looked for in all of its state once, and from then on in what has changed of it', async () => {
  const room = { policyStanding: undefined };
  const memberships = new Map<string, string>();
  const asked: string[] = [];
  const find = async (eventIds: readonly EventId[]) => {
    asked.push(...eventIds);
    const eventOf = (id: EventId): object => {
      const [, membership = ''] = id.split(' ');
      const content = id === 'policy' ? { via: 'policy.example' } : { membership };
      return { event: { content, stateKey: memberships.get(id) } };
    };
    return new Map(eventIds.map((id) => [id, eventOf(id)]));
  };
  const member = (userId: string, membership: string) => {
    const eventId = `${userId} ${membership}` as EventId;
    memberships.set(eventId, userId);
    return { type: 'm.room.member', stateKey: userId, eventId };
  };
  const isThere = async (state: StateTrie): Promise<boolean> => {
    asked.length = 0;
    const turn = { room, head: { state, version: {} }, known: { find } } as unknown as RoomTurn;
    return (await policyQuestionOf(turn, 'policy' as EventId, state)).isThere;
  };
  const walks = vi.spyOn(StateTrie.prototype, 'entries');
  let state = trieOf(Array.from({ length: 200 }, (_, i) => member(`@user${i}:a.example`, 'join')));
  state = state.change([member('@gone:policy.example', 'leave')]);
  expect([await isThere(state), walks.mock.calls.length]).toEqual([false, 1]);
  expect(asked).toEqual(['policy', '@gone:policy.example leave']);
  state = state.change([member('@new:a.example', 'join')]);
  expect([await isThere(state), walks.mock.calls.length]).toEqual([false, 1]);
  expect(asked).toEqual(['policy']);
  const withServer = state.change([member('@bot:policy.example', 'join')]);
  expect([await isThere(withServer), walks.mock.calls.length]).toEqual([true, 1]);
  expect(await isThere(withServer)).toBe(true);
  const without = withServer.change([member('@bot:policy.example', 'leave')]);
  expect([await isThere(without), walks.mock.calls.length]).toEqual([false, 2]);
  expect(await isThere(without.delete('m.room.member', '@user1:a.example'))).toBe(false);
  // Another branch of the room, in which it still is.
  expect([await isThere(withServer), walks.mock.calls.length]).toEqual([true, 2]);
});
