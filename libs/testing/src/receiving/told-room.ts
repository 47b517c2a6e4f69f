import type { RoomId, UserId } from '#kernel/ids';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { FillRoom } from '#rooms/commands/fill-room';
import { ReceiveRoom } from '#rooms/commands/receive-room';
import { pduTextOf } from '#rooms/facts/fact-text';
import type { ForeignPdu, ForeignServer } from './foreign-server.js';
import { type DraftOn, makeOn, openRoom } from './make-on.js';
import type { MemoryRoom } from './memory-room.js';

/** A room of other servers that somebody here joins: all that is told of it. */
export interface RoomToTell {
  readonly there: MemoryRoom;
  readonly roomId: RoomId;
  readonly create: ForeignPdu;
  /** The events of the state before the join, and those of the auth chains that are not of it; each in the order of the graph. */
  readonly state: readonly ForeignPdu[];
  readonly authChain: readonly ForeignPdu[];
  /** All events before the join, in order. */
  readonly events: readonly ForeignPdu[];
  readonly join: ForeignPdu;
}

/** Makes a room of one server with a name, some members and something said, which a user of `here` joins. */
export async function makeRoomToTell(
  version: RoomVersion,
  there: ForeignServer,
  here: ForeignServer,
  user: UserId,
  more: readonly DraftOn[] = [],
  members = 5,
): Promise<RoomToTell> {
  const room = await openRoom(version, [there, here]);
  const events = [...room.known.values()].map(({ event }) => ({ event, text: textOf(room, event.eventId) }));
  const add = async (draft: DraftOn): Promise<void> => {
    const pdu = await makeOn(room, there, draft);
    const { kind } = await room.receive(pdu.text);
    if (kind !== 'accepted') throw new Error(`${draft.type}: ${kind}`);
    events.push(pdu);
  };
  const alice = there.user('alice');
  for (let i = 0; i < members; i++) {
    const member = there.user(`member${i}`);
    const content = { membership: 'join', displayname: `Member ${i}` };
    await add({ type: 'm.room.member', sender: member, stateKey: member, content });
  }
  const first = there.user('member0');
  await add({ type: 'm.room.name', sender: alice, stateKey: '', content: { name: 'Far away' } });
  await add({
    type: 'm.room.member',
    sender: first,
    stateKey: first,
    content: { membership: 'join', displayname: 'New' },
  });
  for (const draft of more) await add(draft);
  await add({ type: 'm.room.message', sender: alice, content: { body: 'hello' } });
  const isOfState = (one: ForeignPdu): boolean => {
    const { type, stateKey, eventId } = one.event;
    return stateKey !== undefined && room.state.get(type, stateKey) === eventId;
  };
  const state = events.filter(isOfState);
  const authChain = events.filter((one) => one.event.stateKey !== undefined && !isOfState(one));
  const join = await makeOn(room, here, {
    type: 'm.room.member',
    sender: user,
    stateKey: user,
    content: { membership: 'join' },
  });
  return { there: room, roomId: room.roomId, create: events[0]!, state, authChain, events, join };
}

/** What this server is told of it, in the order given or with some of it told otherwise. */
export function tellRoom(
  { there, roomId, create, state, authChain, join }: RoomToTell,
  origin: ForeignServer,
): ReceiveRoom {
  const texts = (pdus: readonly ForeignPdu[]): string[] => pdus.map(({ text }) => text);
  const told = { create: create.text, state: texts(state), authChain: texts(authChain), join: join.text };
  return new ReceiveRoom(origin.name, roomId, there.version, told);
}

/** What this server is told of it by who leaves out its members, but for the one who made it. */
export function tellPart(told: RoomToTell, origin: ForeignServer): ReceiveRoom {
  const { roomId, version, told: all } = tellRoom(told, origin);
  const maker = told.create.event.sender;
  const textsOf = (pdus: readonly ForeignPdu[]): string[] =>
    pdus.flatMap(({ event: { type, stateKey }, text }) => (type !== 'm.room.member' || stateKey === maker ? text : []));
  const part = { state: textsOf(told.state), authChain: textsOf(told.authChain), servers: [origin.name] };
  return new ReceiveRoom(origin.name, roomId, version, { ...all, ...part });
}

/** What this server is told later, where that is asked for the rest. */
export function tellRest({ roomId, state, authChain }: RoomToTell, origin: ForeignServer): FillRoom {
  const texts = (pdus: readonly ForeignPdu[]): string[] => pdus.map(({ text }) => text);
  return new FillRoom(origin.name, roomId, { state: texts(state), authChain: texts(authChain) });
}

function textOf(room: MemoryRoom, eventId: string): string {
  const fact = room.facts.find(({ data }) => data.startsWith(`{"event_id":"${eventId}"`));
  if (fact === undefined) throw new Error(`no fact of ${eventId}`);
  return pduTextOf(fact.data);
}

/** The current state of the room there, with the join: each key and the event that holds it. */
export function stateWithJoin({ there, join }: RoomToTell): ReadonlyMap<string, string> {
  const entries = Array.from(there.state.entries(), ({ type, stateKey, eventId }): [string, string] => [
    stateKeyOf(type, stateKey),
    eventId,
  ]);
  return new Map([...entries, [stateKeyOf('m.room.member', join.event.sender), join.event.eventId]]);
}
