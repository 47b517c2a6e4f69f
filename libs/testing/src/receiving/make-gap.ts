import type { EventId, RoomId } from '#kernel/ids';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { RoomHead } from '#rooms/decide/room-head';
import { type ForeignPdu, type ForeignServer, idsOf } from './foreign-server.js';

/** What became of a room on another server, of which nobody here heard before its last event. */
export interface Gap {
  /** The joins of its users. */
  readonly members: readonly ForeignPdu[];
  /** The state before the last event. */
  readonly state: readonly EventId[];
  /** What the first of them says, behind an event that nobody has. */
  readonly said: ForeignPdu;
}

/** Lets so many users of another server join a room that is open to all, each with a name. `isInTurn`: each knows of those before. */
export function makeGap(
  { roomId, version, head }: { readonly roomId: RoomId; readonly version: RoomVersion; readonly head: RoomHead },
  server: ForeignServer,
  count: number,
  name: string,
  { user = 'member', isInTurn = false } = {},
): Gap {
  const { state, extremities } = head;
  const authOf = (type: string, sender: string, stateKey?: string): EventId[] =>
    selectAuthTypes({ type, sender: sender as never, stateKey, content: { membership: 'join' } }, version).flatMap(
      (key) => (state.get(key.type, key.stateKey) as EventId | undefined) ?? [],
    );
  let prev = idsOf(...extremities);
  const members = Array.from({ length: count }, (_, i) => {
    const sender = server.user(`${user}${i}`);
    const content = { membership: 'join', displayname: `${i} ${name}` };
    const auth = authOf('m.room.member', sender, sender);
    const place = { prev, auth, depth: head.depth + i + 1 };
    const join = server.make(version, roomId, { type: 'm.room.member', sender, stateKey: sender, content, ...place });
    if (isInTurn) prev = [join.event.eventId];
    return join;
  });
  const { sender, eventId } = members[0]!.event;
  const said = server.make(version, roomId, {
    type: 'm.room.message',
    sender,
    content: { body: 'after the gap' },
    prev: [`$${'l'.repeat(43)}`],
    auth: [...authOf('m.room.message', sender), eventId],
    depth: 9_000,
  });
  const before = Array.from(state.entries(), (entry) => entry.eventId as EventId);
  return { members, state: [...before, ...idsOf(...members.map(({ event }) => event))], said };
}
