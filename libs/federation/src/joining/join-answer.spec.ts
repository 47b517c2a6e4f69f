import { describe, expect, it } from 'vitest';
import { PeerUnavailable } from '#kernel/peer-errors';
import { atOnce } from '#kernel/steps';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { findCreateEvent, readJoinAnswer } from './join-answer.js';
import { withSignaturesOf } from './room-bringing.js';
import { signingKeysOf } from './signing-keys-of.js';

const V11 = findRoomVersion('11')!;
const create = (version?: string): object => ({
  type: 'm.room.create',
  state_key: '',
  content: { room_version: version },
});
const answerOf = (answer: object) => readJoinAnswer(Buffer.from(JSON.stringify(answer)));

describe('what a server answers to a join', () => {
  it('has a create event, in the state or among what authorises it', async () => {
    const other = { type: 'm.room.name', state_key: '', content: { name: 'm.room.create' } };
    const inChain = await answerOf({ state: [other], auth_chain: [create('11')] });
    expect(JSON.parse(Buffer.from(atOnce(findCreateEvent(inChain, V11))).toString())).toEqual(create('11'));
    const nowhere = await answerOf({ state: [other, 7, null], auth_chain: [] });
    expect(() => atOnce(findCreateEvent(nowhere, V11))).toThrow(PeerUnavailable);
  });

  it('may have any number of events that look like it, each of which is a step', async () => {
    const likes = Array.from({ length: 1000 }, () => ({ type: 'm.room.create', state_key: 'x', content: {} }));
    const search = findCreateEvent(await answerOf({ state: likes, auth_chain: [create('11')] }), V11);
    let steps = 0;
    while (search.next().done !== true) steps++;
    expect(steps).toBeGreaterThanOrEqual(1000);
  });

  it('is refused where the room is of another version than was said', async () => {
    for (const version of [undefined, '10', 11]) {
      const answer = await answerOf({ state: [create(version as string)], auth_chain: [] });
      expect(() => atOnce(findCreateEvent(answer, V11))).toThrow(PeerUnavailable);
    }
  });

  it('is refused where it is none', async () => {
    await expect(answerOf({ state: {}, auth_chain: [] })).rejects.toThrow(PeerUnavailable);
    expect((await answerOf({})).state.length).toBe(0);
  });

  it('tells by which keys its events are signed, each for the latest of them', async () => {
    const event = (at: number, signatures: object): object => ({ origin_server_ts: at, signatures });
    const { state } = await answerOf({
      state: [
        event(5, { 'a.example': { 'ed25519:1': 's' } }),
        event(9, { 'a.example': { 'ed25519:1': 's' }, 'b.example': { 'ed25519:x': 's' } }),
        event(7, { 'a.example': { 'ed25519:1': 's' }, 'no server': { k: 's' } }),
        7,
        { signatures: 7 },
      ],
    });
    expect(atOnce(signingKeysOf(state))).toEqual([
      { serverName: 'a.example', keyId: 'ed25519:1', validAt: 9 },
      { serverName: 'b.example', keyId: 'ed25519:x', validAt: 9 },
    ]);
  });

  it('adds to the join event signatures and nothing else', () => {
    const own = { content: { membership: 'join' }, signatures: { 'ours.example': { k: 'ours' } } };
    const copy = {
      content: { membership: 'ban' },
      signatures: { 'ours.example': { k: 'forged' }, 'there.example': { k: 'theirs' } },
    };
    expect(withSignaturesOf(own, copy)).toEqual({
      content: own.content,
      signatures: { 'ours.example': { k: 'ours' }, 'there.example': { k: 'theirs' } },
    });
    expect(withSignaturesOf(own, undefined)).toBe(own);
  });
});
