import type { EventId } from '#kernel/ids';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { resolveStates } from '#rooms/receive/resolve-states';
import type { ForeignDraft, ForeignPdu, ForeignServer } from './foreign-server.js';
import { keysOf, MemoryRoom } from './memory-room.js';

export type DraftOn = Omit<ForeignDraft, 'auth' | 'prev'> & Partial<Pick<ForeignDraft, 'auth' | 'prev'>>;

/** An event that stands on some others (the extremities of a room unless told), with auth events of the state there. */
export async function makeOn(room: MemoryRoom, server: ForeignServer, draft: DraftOn): Promise<ForeignPdu> {
  const prev = (draft.prev ?? room.extremities.map(({ eventId }) => eventId)) as EventId[];
  const states = prev.map((eventId) => room.after(eventId));
  const before = await resolveStates(states, room);
  const { type, sender, stateKey, content = {} } = draft;
  const keys = selectAuthTypes({ type, sender: sender as never, stateKey, content }, room.version);
  const auth = keys.flatMap((key) => before.get(key.type, key.stateKey) ?? []);
  const depth = 1 + prev.reduce((most, eventId) => Math.max(most, room.known.get(eventId)?.event.depth ?? 0), 0);
  return server.make(room.version, room.roomId, { auth, depth, ...draft, prev });
}

/** A room's first events: made, joined, power levels, and open to all; all by `alice` of the server. */
export async function firstEvents(
  version: RoomVersion,
  server: ForeignServer,
  users: Readonly<Record<string, number>> = {},
): Promise<readonly ForeignPdu[]> {
  const alice = server.user('alice');
  const create = server.create(version, alice);
  const room = new MemoryRoom(create.event.roomId, version, keysOf(server));
  const first: ForeignPdu[] = [create];
  await room.receive(create.text);
  const levels = { users: { ...(version.privilegedCreators ? {} : { [alice]: 100 }), ...users } };
  const drafts: DraftOn[] = [
    { type: 'm.room.member', sender: alice, stateKey: alice, content: { membership: 'join' } },
    { type: 'm.room.power_levels', sender: alice, stateKey: '', content: levels },
    { type: 'm.room.join_rules', sender: alice, stateKey: '', content: { join_rule: 'public' } },
  ];
  for (const draft of drafts) {
    const pdu = await makeOn(room, server, draft);
    const { kind } = await room.receive(pdu.text);
    if (kind !== 'accepted') throw new Error(`${draft.type}: ${kind}`);
    first.push(pdu);
  }
  return first;
}

/** A room with its first events, and all the keys that its servers have. */
export async function openRoom(
  version: RoomVersion,
  servers: readonly [ForeignServer, ...ForeignServer[]],
  users: Readonly<Record<string, number>> = {},
): Promise<MemoryRoom> {
  return roomOf(version, servers, await firstEvents(version, servers[0], users));
}

/** A room that has received some events. */
export async function roomOf(
  version: RoomVersion,
  servers: readonly ForeignServer[],
  first: readonly ForeignPdu[],
): Promise<MemoryRoom> {
  const room = new MemoryRoom(first[0]!.event.roomId, version, keysOf(...servers));
  for (const { text } of first) await room.receive(text);
  return room;
}
