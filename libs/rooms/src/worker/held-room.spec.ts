import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { ALICE } from '#testing/local-room';
import { RoomCommands } from '#testing/room-commands';
import type { KnownRoom } from '../receive/known-room.js';
import type { RoomTurn } from './room-turn.js';

const KEYS = 700;

let warm: RoomCommands;
let roomId: RoomId;
/** The state after each event, as it was in memory when the event was sent. */
let states: Map<EventId, StateTrie>;

beforeEach(async () => {
  warm = new RoomCommands();
  roomId = await warm.open();
  states = new Map();
  await sets(Array.from({ length: KEYS }, (_, i) => String(i)));
});

/** Alice sets keys of the state, one after another. */
async function sets(keys: readonly string[]): Promise<void> {
  await inTurn(warm, async (turn) => {
    for (const stateKey of keys) {
      const { eventId } = await turn.send({ type: 'org.example', sender: ALICE, stateKey, content: {} });
      states.set(eventId, turn.head.state);
    }
  });
}

async function inTurn<T>(server: RoomCommands, task: (turn: RoomTurn) => Promise<T>): Promise<T> {
  return (await server.workers.run(roomId, { actor: ALICE }, task)).result;
}

/** Looks whether a room knows the states after some events. */
async function check(room: KnownRoom, eventIds: readonly EventId[]): Promise<void> {
  for (const eventId of eventIds) expect((await room.stateAfter(eventId)).rootHash).toBe(states.get(eventId)!.rootHash);
}

describe('a room that a turn holds', () => {
  it('knows the state after every event, also when nothing of it is in memory, and with the views behind', async () => {
    await warm.views.follow();
    await sets(['1', '2', '700', '1']);
    const ids = [...states.keys()];
    const some = [ids[0]!, ids[300]!, ids[690]!, ...ids.slice(-5)];
    await inTurn(new RoomCommands(warm.views), ({ known }) => check(known, some));
    await inTurn(warm, ({ known }) => check(known, some));
  });

  it('knows what the turn itself has decided, and nothing of what a turn that failed had', async () => {
    const failed = inTurn(warm, async (turn) => {
      const { eventId } = await turn.send({ type: 'org.example', sender: ALICE, stateKey: 'x', content: {} });
      expect((await turn.known.find([eventId])).get(eventId)).toMatchObject({ outcome: 'accepted' });
      expect((await turn.known.stateAfter(eventId)).get('org.example', 'x')).toBe(eventId);
      throw new Error(eventId);
    });
    const eventId = (await failed.catch((error: Error) => error.message)) as EventId;
    await inTurn(warm, async ({ known }) => {
      expect(await known.find([eventId])).toEqual(new Map());
      await expect(known.stateAfter(eventId)).rejects.toThrow('is not known');
    });
  });

  it('tells of an event what remains of it', async () => {
    const [eventId] = states.keys();
    const remains = { type: 'org.example', content: {}, sender: ALICE, prev_events: [], auth_events: [] };
    const effect = { event_id: eventId!, redacted_by: '$redaction' as EventId, room_version: '11' };
    const isRedacted = async (server: RoomCommands): Promise<unknown> =>
      inTurn(server, async ({ known }) => (await known.find([eventId!])).get(eventId!)?.isRedacted);
    expect(await isRedacted(warm)).toBeUndefined();
    await inTurn(warm, async (turn) => {
      turn.redact(effect, remains);
      expect((await turn.known.find([eventId!])).get(eventId!)).toMatchObject({
        isRedacted: true,
        event: { authEvents: [] },
      });
    });
    expect(await isRedacted(warm)).toBe(true);
    expect(await isRedacted(new RoomCommands(warm.views))).toBe(true);
  });
});
