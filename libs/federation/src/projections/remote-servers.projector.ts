import { type LogBegun, SERVER_STREAM } from '#event-store/log-identity';
import type { RecordedFact } from '#event-store/event-store';
import { type Answer, forEachInOrder, whenThere } from '#kernel/answer';
import { isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { purgeByRoom, purgeOf, takeAwayWith } from '#rooms/projections/purged-rows';
import { currentMembersOf, type RoomFactReader } from '#rooms/projections/room-fact-reader';

/** The last time that somebody was in a room: from a fact on, and where they are not any more, up to another. */
export interface Stay {
  readonly since: Position;
  readonly until?: Position;
}

/** As much of a server. */
export interface ServerStay extends Stay {
  /** The revision of the fact, in the room's stream, by which the last of its users was out. */
  readonly ended_by?: number;
}

/** Whether somebody is in a room now. */
export type Standing = 'in' | 'out';

/** The users of other servers who are or were joined to a room: one row of each. */
export const REMOTE_MEMBERS = new Collection<
  readonly [roomId: RoomId, server: ServerName, standing: Standing, userId: UserId],
  Stay
>('remote-members', {
  key: ['room', 'server', 'in or out', 'user'],
  says: 'from where to where a user of another server was joined last',
  codec: asJson(),
});

export const ROOM_SERVERS = new Collection<
  readonly [roomId: RoomId, standing: Standing, server: ServerName],
  ServerStay
>('room-servers', {
  key: ['room', 'in or out', 'server'],
  says: 'from where to where another server was in the room last',
  codec: asJson(),
});

export const SERVER_ROOMS = new Collection<
  readonly [server: ServerName, standing: Standing, roomId: RoomId],
  ServerStay
>('server-rooms', {
  key: ['server', 'in or out', 'room'],
  says: 'as `room-servers`, by the other server',
  codec: asJson(),
});

/** Where the servers in a room last changed. */
export const ROOM_SERVERS_CHANGED = new Collection<readonly [roomId: RoomId], Position>('room-servers-changed', {
  key: ['room'],
  says: 'the position at which the other servers in it changed last',
  codec: asText(),
});

/** The users of other servers who are invited to a room, or knock there. */
export const ASKED_MEMBERS = new Collection<readonly [roomId: RoomId, userId: UserId], Position>(
  'asked-remote-members',
  {
    key: ['room', 'user'],
    says: 'since when a user of another server is invited, or knocks',
    codec: asText(),
  },
);

/** Where such an invitation or knock ended: in the stream of which room, and at which revision. */
export interface AskedEnd {
  readonly room_id: RoomId;
  readonly revision: number;
}

/** A server that is in no such room hears of the end by this alone. */
export const ASKED_ENDS = new Collection<readonly [server: ServerName, position: Position], AskedEnd>('asked-ends', {
  key: ['other server', 'position'],
  says: 'the event by which an invitation or a knock of one of its users ended',
  codec: asJson(),
});

/** What this server is called, as the log says it: its own users are told of nowhere here. */
const OWN_NAME = new Collection<readonly [log: string], ServerName>('own-server-name', {
  key: ['`server`'],
  says: 'what this server is called',
  codec: asText(),
});

const HANDLED: ReadonlySet<string> = new Set(['pdu-accepted', 'state-taken', 'log-begun', 'room-purged']);

/**
 * Which other servers are in which room. PERF: a room in which nobody else is has no rows, and a change of a membership costs one look
 * at our own name; a message nothing. Nothing is counted: that a server is in a room is told by the rows of its users.
 */
export function remoteServersProjector(reader: RoomFactReader): Projector {
  return {
    name: 'remote-servers',
    version: 4,
    ...owning(REMOTE_MEMBERS, ROOM_SERVERS, SERVER_ROOMS, ROOM_SERVERS_CHANGED, ASKED_MEMBERS, ASKED_ENDS, OWN_NAME),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purge(fact, rows);
      if (fact.type === 'log-begun') {
        const { server_name: name } = JSON.parse(fact.data) as LogBegun; // written by `nameLog`
        if (name !== undefined) OWN_NAME.put(rows, [SERVER_STREAM], name);
        return;
      }
      const changed = reader.findStateChange(fact);
      const members = changed === undefined ? [] : currentMembersOf(changed);
      if (members.length === 0) return;
      return whenThere(OWN_NAME.get(rows, [SERVER_STREAM]), (ours) =>
        forEachInOrder(members, ({ change: { state_key: userId }, content }) => {
          if (!isUserId(userId)) return;
          const server = serverNameOf(userId);
          if (server === ours) return;
          const of = { roomId: changed!.roomId, server, userId };
          const { membership } = content;
          return whenThere(noteAsked(of, membership, fact, rows), () =>
            membership === 'join' ? come(of, fact.position, rows) : go(of, fact, rows),
          );
        }),
      );
    },
  };
}

async function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const purged = purgeOf(fact);
  const { roomId, users } = purged;
  await takeAwayWith(rows, purged, ROOM_SERVERS, { prefix: [roomId] }, ({ key: [, standing, server] }) =>
    SERVER_ROOMS.delete(rows, [server, standing, roomId]),
  );
  for (const server of new Set(users.map((userId) => serverNameOf(userId)))) {
    await ASKED_ENDS.forEach(rows, { prefix: [server] }, ({ key, value }) => {
      if (value.room_id === roomId) ASKED_ENDS.delete(rows, key);
    });
  }
  await purgeByRoom(fact, rows, [REMOTE_MEMBERS, ROOM_SERVERS_CHANGED, ASKED_MEMBERS]);
}

interface Member {
  readonly roomId: RoomId;
  readonly server: ServerName;
  readonly userId: UserId;
}

/** Notes who is invited or knocks, and the end of that, unless it is that they came. */
function noteAsked(
  { roomId, server, userId }: Member,
  membership: unknown,
  { position, revision }: Pick<RecordedFact, 'position' | 'revision'>,
  rows: OwnRows,
): Answer<void> {
  if (membership === 'invite' || membership === 'knock') return ASKED_MEMBERS.put(rows, [roomId, userId], position);
  return whenThere(ASKED_MEMBERS.get(rows, [roomId, userId]), (since) => {
    // They were not, or are since a later fact, and this one is applied again.
    if (since === undefined || since >= position) return;
    ASKED_MEMBERS.delete(rows, [roomId, userId]);
    if (membership !== 'join') ASKED_ENDS.put(rows, [server, position], { room_id: roomId, revision });
  });
}

function come({ roomId, server, userId }: Member, since: Position, rows: OwnRows): Answer<void> {
  return whenThere(REMOTE_MEMBERS.get(rows, [roomId, server, 'in', userId]), (known) => {
    // They are in already, or this fact is applied again.
    if (known !== undefined) return;
    return whenThere(REMOTE_MEMBERS.get(rows, [roomId, server, 'out', userId]), (last) => {
      if (last?.until !== undefined && last.until >= since) return;
      // PERF: a server is in a room as long as a user of it is, and one row is read sooner than some are looked for.
      return whenThere(ROOM_SERVERS.get(rows, [roomId, 'in', server]), (stay) => {
        if (last !== undefined) REMOTE_MEMBERS.delete(rows, [roomId, server, 'out', userId]);
        REMOTE_MEMBERS.put(rows, [roomId, server, 'in', userId], { since });
        if (stay === undefined) putServer(roomId, server, { since }, rows);
      });
    });
  });
}

function go(
  { roomId, server, userId }: Member,
  { position: until, revision }: Pick<RecordedFact, 'position' | 'revision'>,
  rows: OwnRows,
): Answer<void> {
  return whenThere(REMOTE_MEMBERS.get(rows, [roomId, server, 'in', userId]), (known) => {
    // They were not in, or came after this fact, which is applied again.
    if (known === undefined || known.since >= until) return;
    REMOTE_MEMBERS.delete(rows, [roomId, server, 'in', userId]);
    REMOTE_MEMBERS.put(rows, [roomId, server, 'out', userId], { ...known, until });
    return whenThere(hasAny(roomId, server, rows), (isIn) => {
      if (isIn) return;
      return whenThere(ROOM_SERVERS.get(rows, [roomId, 'in', server]), (stay) => {
        putServer(roomId, server, { since: stay?.since ?? known.since, until, ended_by: revision }, rows);
      });
    });
  });
}

function hasAny(roomId: RoomId, server: ServerName, rows: OwnRows): Answer<boolean> {
  const found = REMOTE_MEMBERS.scan(rows, { prefix: [roomId, server, 'in'], limit: 1 });
  return whenThere(found, ({ length }) => length > 0);
}

function putServer(roomId: RoomId, server: ServerName, stay: ServerStay, rows: OwnRows): void {
  const [now, before] = stay.until === undefined ? (['in', 'out'] as const) : (['out', 'in'] as const);
  ROOM_SERVERS.delete(rows, [roomId, before, server]);
  SERVER_ROOMS.delete(rows, [server, before, roomId]);
  ROOM_SERVERS.put(rows, [roomId, now, server], stay);
  SERVER_ROOMS.put(rows, [server, now, roomId], stay);
  ROOM_SERVERS_CHANGED.put(rows, [roomId], stay.until ?? stay.since);
}
