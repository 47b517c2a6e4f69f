import { isServerName, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { Steps } from '#kernel/steps';
import { inTurns } from '#projections/turn';
import { FIRST_ROOM_VERSION } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { Slices, type SplitObject, splitObject } from '../receive/split-object.js';
import { parsePdu } from '../receive/told-pdu.js';

/** What a server answers to a join: server-server API, `PUT /send_join/{roomId}/{eventId}`. */
export interface JoinAnswer {
  readonly state: Slices;
  readonly authChain: Slices;
  /** The join event with the signatures that the server has added. */
  readonly event: JsonObject | undefined;
  /** Members are left out of the state: the servers that have some in the room. */
  readonly servers: readonly ServerName[] | undefined;
}

/** What a server answers that is asked for a state: server-server API, `GET /state/{roomId}`. */
export type StateAnswer = Pick<JoinAnswer, 'state' | 'authChain'>;

const NOTHING = new Slices(Buffer.alloc(0), []);
const CREATE = 'm.room.create';

/** Reads an answer, of which the events stay bytes. Throws PeerUnavailable. */
export async function readJoinAnswer(bytes: Uint8Array): Promise<JoinAnswer> {
  const split = await splitBytes(bytes);
  const event = split.get('event');
  const given = event === undefined || event instanceof Slices ? undefined : parsePdu(event);
  const servers = isTrue(split.get('members_omitted')) ? serversOf(listOf(split, 'servers_in_room')) : undefined;
  return { state: listOf(split, 'state'), authChain: listOf(split, 'auth_chain'), event: given, servers };
}

/** As `readJoinAnswer`. */
export async function readStateAnswer(bytes: Uint8Array): Promise<StateAnswer> {
  const split = await splitBytes(bytes);
  return { state: listOf(split, 'pdus'), authChain: listOf(split, 'auth_chain') };
}

/** All that was told of the room. */
export function* eventsOf({ authChain, state }: StateAnswer): Generator<Uint8Array> {
  yield* authChain;
  yield* state;
}

function splitBytes(bytes: Uint8Array): Promise<SplitObject> {
  return inTurns(splitObject(bytes));
}

function listOf(split: SplitObject, key: string): Slices {
  const found = split.get(key) ?? NOTHING;
  if (!(found instanceof Slices)) throw new PeerUnavailable(`${key} is no list`);
  return found;
}

function isTrue(value: Uint8Array | Slices | undefined): boolean {
  return value instanceof Uint8Array && Buffer.from(value).toString() === 'true';
}

/** NOTSPEC: no room has members of more. */
const MOST_SERVERS = 20_000;

/** What is no name of a server is left out. */
function serversOf(names: Slices): ServerName[] {
  const servers = new Set<ServerName>();
  for (const bytes of names) {
    const name = parseText(bytes);
    if (name !== undefined && isServerName(name) && servers.size < MOST_SERVERS) servers.add(name);
  }
  return [...servers];
}

function parseText(bytes: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The event with which the room begins. In steps: any of them may look like it. Throws PeerUnavailable where there is none, or where
 * it begins a room of another version.
 */
export function* findCreateEvent({ state, authChain }: StateAnswer, version: RoomVersion): Steps<Uint8Array> {
  for (const list of [state, authChain]) {
    for (const bytes of list) {
      yield;
      if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(CREATE) < 0) continue;
      const event = parsePdu(bytes);
      if (event?.['type'] !== CREATE || event['state_key'] !== '') continue;
      const content = isJsonObject(event['content']) ? event['content'] : {};
      const { room_version: named = FIRST_ROOM_VERSION } = content;
      if (named !== version.id) throw new PeerUnavailable('The room is of another version than it was said to be');
      return bytes;
    }
  }
  throw new PeerUnavailable('The answer lacks the create event');
}
