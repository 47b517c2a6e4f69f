import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { RedactEvent } from './redact-event.js';
import { SendEvent } from './send-event.js';

let rooms: RoomCommands;
let roomId: RoomId;
let said: EventId;

beforeEach(async () => {
  rooms = new RoomCommands();
  roomId = await rooms.createRoom(ALICE, { preset: 'public_chat' });
  await rooms.join(BOB, roomId);
  said = await rooms.send(ALICE, roomId);
});

interface Sent {
  readonly sender?: typeof ALICE;
  readonly type?: string;
  readonly room?: RoomId;
  readonly txnId?: string;
}

async function relate(relation: JsonObject, { sender = BOB, type = 'm.reaction', room = roomId, txnId }: Sent = {}) {
  const content = { body: 'hi', 'm.relates_to': relation };
  const { eventId } = await rooms.execute(new SendEvent(requesterOf(sender), room, type, content, txnId));
  return eventId as EventId;
}

const react = (key: unknown, to: EventId = said, sent: Sent = {}): Promise<EventId> =>
  relate({ rel_type: 'm.annotation', event_id: to, key } as JsonObject, sent);
const redact = (eventId: EventId): Promise<unknown> =>
  rooms.execute(new RedactEvent(requesterOf(ALICE), roomId, eventId, {}));
const duplicate = { errcode: 'M_DUPLICATE_ANNOTATION', status: 400 };

describe('an annotation', () => {
  it('is sent once for one event, type, key and sender', async () => {
    await react('👍');
    await expect(react('👍')).rejects.toMatchObject(duplicate);
    await react('👎');
    await react('👍', said, { sender: ALICE });
    await react('👍', said, { type: 'org.example.mark' });
    await react('👍', await rooms.send(ALICE, roomId));
    await expect(react('👍', said, { sender: ALICE })).rejects.toMatchObject(duplicate);
  });

  it('may be sent again once it was redacted, and then is again sent once', async () => {
    const first = await react('👍');
    await redact(first);
    const second = await react('👍');
    await expect(react('👍')).rejects.toMatchObject(duplicate);
    await redact(second);
    await react('👍');
  });

  it('is sent once by those who ask at the same time', async () => {
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => react('👍')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(rooms.events(roomId).filter(({ type }) => type === 'm.reaction')).toHaveLength(1);
  });

  it('is the same event for the same transaction, one after another or at once', async () => {
    const ids = await Promise.all([1, 2].map(() => react('👍', said, { txnId: 't' })));
    ids.push(await react('👍', said, { txnId: 't' }));
    expect(new Set(ids).size).toBe(1);
    await expect(react('👍', said, { txnId: 'u' })).rejects.toMatchObject(duplicate);
  });

  it('in another room, or of what is no text, is another matter', async () => {
    const other = await rooms.createRoom(ALICE, { preset: 'public_chat' });
    await rooms.join(BOB, other);
    await react('👍');
    await react('👍', said, { room: other });
    await react(1);
    await react(1);
  });

  it('is still known after a restart', async () => {
    await react('👍');
    rooms = new RoomCommands(rooms.views);
    await expect(react('👍')).rejects.toMatchObject(duplicate);
  });

  it('is sent once by two processes that are asked at the same time, or before the views of one know of the other', async () => {
    const other = new RoomCommands(new RoomViews(rooms.log));
    // One that hears of nothing for a while.
    const third = new RoomCommands(new RoomViews(rooms.log));
    for (const { views } of [other, third]) await views.follow();
    await other.send(ALICE, roomId);
    const content = { 'm.relates_to': { rel_type: 'm.annotation', event_id: said, key: '👍' } };
    const reactOn = (process: RoomCommands): Promise<unknown> =>
      process.execute(new SendEvent(requesterOf(BOB), roomId, 'm.reaction', content));
    const outcomes = await Promise.allSettled([react('👍'), reactOn(other)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const [reaction] = rooms.facts(roomId, 'pdu-accepted').filter(({ data }) => data.includes('"m.reaction"'));
    await rooms.views.follow();
    await redact((JSON.parse(reaction!.data) as { event_id: EventId }).event_id);
    await reactOn(third);
    const before = rooms.views.position();
    await expect(react('👍')).rejects.toMatchObject(duplicate);
    expect(rooms.views.position()).toBe(before);
  });

  it('that was sent tells nobody who may not send any', async () => {
    await react('👍');
    await rooms.setState(BOB, roomId, 'm.room.member', { membership: 'leave' }, BOB);
    await expect(react('👍')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  });
});

describe('a thread', () => {
  const thread = (root: unknown, sent: Sent = {}): Promise<EventId> =>
    relate({ rel_type: 'm.thread', event_id: root } as JsonObject, { type: 'm.room.message', ...sent });
  const refusal = { errcode: 'M_UNKNOWN', status: 400 };

  it('begins at an event that relates to nothing, and goes on from there', async () => {
    await thread(said);
    await thread(said);
    const reply = await relate({ 'm.in_reply_to': { event_id: said } }, { type: 'm.room.message' });
    await thread(reply);
  });

  it('does not begin at an event that itself relates to one', async () => {
    for (const relation of [
      { rel_type: 'm.thread', event_id: said },
      { rel_type: 'm.annotation', event_id: said, key: 'k' },
      { rel_type: 'm.replace', event_id: said },
      { rel_type: 'org.example', event_id: said },
    ]) {
      const child = await relate(relation);
      await expect(thread(child)).rejects.toMatchObject(refusal);
      await redact(child);
      await thread(child);
    }
  });

  it('is told so of state too, once the sender may set it', async () => {
    const child = await relate({ rel_type: 'm.thread', event_id: said });
    const state = (root: EventId): JsonObject => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    await expect(rooms.setState(ALICE, roomId, 'org.example.state', state(child))).rejects.toMatchObject(refusal);
    const forbidden = { errcode: 'M_FORBIDDEN' };
    await expect(rooms.setState(BOB, roomId, 'org.example.state', state(child))).rejects.toMatchObject(forbidden);
    await rooms.setState(ALICE, roomId, 'org.example.state', state(said));
  });

  it('asks no room but its own, and nothing that is no event', async () => {
    const other = await rooms.createRoom(ALICE, { preset: 'public_chat' });
    const child = await relate({ rel_type: 'm.thread', event_id: said }, { sender: ALICE });
    await thread(child, { sender: ALICE, room: other });
    await expect(thread(child, { sender: BOB, room: other })).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    for (const root of ['$unknown', 'nonsense', 1, undefined, {}]) await thread(root);
  });
});
