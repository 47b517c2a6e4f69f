import type { RecordedFact } from '#event-store/event-store';
import { isUserId, type ServerName, serverNameOf } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { changesNoState } from '#rooms/facts/fact-text';
import { contentOf } from '#rooms/facts/pdu-fields';
import type { PduAccepted, StateChange } from '#rooms/facts/room-facts';

/** The servers in a room, as far as this process has followed it. Never changed: what comes makes another. */
export interface KnownServers {
  readonly servers: ReadonlySet<ServerName>;
  /** When they changed last, and what they were right before that, where it is known. */
  readonly changed: Position;
  readonly before?: ReadonlySet<ServerName>;
  /** What came up to there is in it. */
  readonly asOf: Position;
  /** Servers of which somebody is out since a fact, and of which it is not known whether anybody is left. */
  readonly doubtful: ReadonlyMap<ServerName, Position>;
}

export const NO_DOUBTS: KnownServers['doubtful'] = new Map();

/** Whether a fact may change who is in its room. PERF: told from the text, with nothing parsed. */
export function mayMoveMembers({ type, data }: RecordedFact): boolean {
  if (type !== 'pdu-accepted' && type !== 'state-taken') return false;
  return !changesNoState(data) && data.includes('"m.room.member"');
}

/** Whether a fact may say that a room came with a part of its members, or that the rest has come. */
export function isOfPartial({ type }: RecordedFact): boolean {
  return type === 'join-completed' || type === 'join-filled';
}

/**
 * What is known behind a fact that may move members; undefined where the fact tells more than its own event did, and it is to be read anew.
 * PERF: a room of ten thousand servers is not read again for each who comes to it (`npm run bench -- federation`).
 */
export function knownAfter(
  known: KnownServers,
  { position, data }: RecordedFact,
  ours: ServerName,
): KnownServers | undefined {
  if (position <= known.asOf) return known;
  const { pdu, event_id, state, current } = JSON.parse(data) as PduAccepted; // written by the room's worker, as `state-taken` is
  const isOthers = (change: StateChange): boolean => change.type === 'm.room.member' && change.event_id !== event_id;
  if (current !== undefined || state.some(isOthers)) return undefined;
  const userId = pdu['state_key'];
  if (pdu['type'] !== 'm.room.member' || typeof userId !== 'string' || !isUserId(userId)) return known;
  const server = serverNameOf(userId);
  if (server === ours) return known;
  if (contentOf(pdu)['membership'] !== 'join') {
    if (!known.servers.has(server)) return known;
    return { ...known, doubtful: new Map(known.doubtful).set(server, position) };
  }
  const doubtful = new Map(known.doubtful);
  doubtful.delete(server);
  if (known.servers.has(server)) return { ...known, doubtful };
  return changedAt(position, { ...known, doubtful }, new Set(known.servers).add(server));
}

/** Of doubtful servers, with the facts since which they were that: those of which nobody is left, and those of which somebody is. */
export interface Settled {
  readonly gone: ReadonlyMap<ServerName, Position>;
  readonly stayed: ReadonlyMap<ServerName, Position>;
}

/** What is known once the doubts about some servers are settled, as far as nobody else of them has come or gone since. */
export function knownSettled(known: KnownServers, { gone, stayed }: Settled): KnownServers {
  const servers = new Set(known.servers);
  const doubtful = new Map(known.doubtful);
  for (const [server, position] of stayed) if (doubtful.get(server) === position) doubtful.delete(server);
  let { changed } = known;
  for (const [server, position] of gone) {
    if (doubtful.get(server) !== position) continue;
    doubtful.delete(server);
    servers.delete(server);
    if (position > changed) changed = position;
  }
  if (servers.size === known.servers.size) return { ...known, doubtful };
  return changedAt(changed, { ...known, doubtful }, servers);
}

function changedAt(position: Position, known: KnownServers, servers: ReadonlySet<ServerName>): KnownServers {
  const isSame = position === known.changed;
  return { ...known, servers, changed: position, before: isSame ? known.before : known.servers };
}
