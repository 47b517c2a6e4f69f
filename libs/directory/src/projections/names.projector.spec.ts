import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { project, type StreamFact } from '#testing/project';
import { namesProjector } from './names.projector.js';

const CAROL = '@carol.two:else.example' as UserId;

const account = (userId: string, type: string, data: object = {}): StreamFact => ({
  stream: `user-${userId}`,
  type,
  data,
});
const named = (userId: string, value: unknown): StreamFact =>
  account(userId, 'profile-changed', { key: 'displayname', value });

/** Who is found by which word. */
async function wordsIn(facts: readonly StreamFact[]): Promise<string[]> {
  const rows = await project(namesProjector(createRoomFactReader()), facts);
  return Object.keys(rows).flatMap((key) => (key.startsWith('user-words ') ? [key.slice('user-words '.length)] : []));
}

describe('the words that users are looked for by', () => {
  it('are those of the id and of the name in the profile, as it is now', async () => {
    const alice = '@alice:a.example';
    const facts = [account(alice, 'account-registered'), named(alice, 'Lady Lovelace')];
    expect(await wordsIn(facts)).toEqual([`alice ${alice}`, `lady ${alice}`, `lovelace ${alice}`]);
    const other = account(alice, 'profile-changed', {
      key: 'm.tz',
      value: 'Europe/London',
    });
    expect(await wordsIn([...facts, other, named(alice, 'Lady Ada')])).toEqual([
      `ada ${alice}`,
      `alice ${alice}`,
      `lady ${alice}`,
    ]);
    const removed = account(alice, 'profile-changed', {
      key: 'displayname',
      removed: true,
    });
    expect(await wordsIn([...facts, removed])).toEqual([`alice ${alice}`]);
    // Content that was erased.
    expect(await wordsIn([...facts.slice(0, 1), named(alice, undefined)])).toEqual([`alice ${alice}`]);
    expect(await wordsIn([...facts, account(alice, 'account-deactivated', { erase: false })])).toEqual([]);
    const closed = (erase: boolean): StreamFact[] => [...facts, account(alice, 'account-deactivated', { erase })];
    const again = account(alice, 'account-reopened');
    expect(await wordsIn([...closed(false), again])).toEqual(await wordsIn(facts));
    expect(await wordsIn([...closed(true), again])).toEqual([`alice ${alice}`]);
    const later = [account(alice, 'account-deactivated', { erase: true }), again];
    expect(await wordsIn([...closed(false), ...later])).toEqual([`alice ${alice}`]);
  });

  it('are those of the last join of who has no account here, and not of what a user of ours is called in a room', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    const join = (name: string): Promise<RoomEvent> =>
      room.send({
        type: 'm.room.member',
        stateKey: CAROL,
        sender: CAROL,
        content: { membership: 'join', displayname: name },
      });
    const facts = (): StreamFact[] =>
      log.facts.map(({ stream, type, data }) => ({
        stream,
        type,
        data: JSON.parse(data) as unknown,
      }));
    await join('Caro');
    const last = await join('Line');
    expect((await wordsIn(facts())).filter((key) => key.endsWith(CAROL))).toEqual([
      `carol ${CAROL}`,
      `line ${CAROL}`,
      `two ${CAROL}`,
    ]);
    expect(
      (await wordsIn([account(CAROL, 'account-registered'), ...facts()])).filter((k) => k.endsWith(CAROL)),
    ).toEqual([`carol ${CAROL}`, `two ${CAROL}`]);
    const { pdu } = JSON.parse(log.facts.at(-1)!.data) as {
      pdu: RoomEvent['pdu'];
    };
    await room.redact({ ...last, pdu });
    expect((await wordsIn(facts())).filter((key) => key.endsWith(CAROL))).toEqual([`carol ${CAROL}`, `two ${CAROL}`]);
  });
});
