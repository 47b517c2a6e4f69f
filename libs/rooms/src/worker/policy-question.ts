import { type EventId, isUserId, serverNameOf, type UserId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { diffTries, type StateEntry, type StateTrie } from '#protocol/state-trie/state-trie';
import { getKnown } from '../receive/known-room.js';
import type { PolicyQuestion } from '../room-policy.js';
import type { RoomTurn } from './room-turn.js';

/** So many members of a server are looked at together. */
const AT_ONCE = 32;
const MEMBER = 'm.room.member';

/** Who of a policy server was found in a room; nobody, in this state of it. */
export interface PolicyStanding {
  readonly server: string;
  readonly state: StateTrie;
  readonly member?: UserId;
}

/**
 * What the policy is asked by, as a turn has the room. `policyId`: the state event that names its server; `state`: in which that has to be in the room, which is
 * the current one, before what is asked for.
 */
export async function policyQuestionOf(
  turn: RoomTurn,
  policyId: EventId | undefined,
  state: StateTrie = turn.head.state,
): Promise<Omit<PolicyQuestion, 'isOwn'>> {
  const { version } = turn.head;
  const [policyEvent] = policyId === undefined ? [] : await eventsOf(turn, [policyId]);
  const server = policyEvent?.content['via'];
  return { version, policyEvent, isThere: typeof server === 'string' && (await isIn(turn, server, state)) };
}

async function eventsOf(turn: RoomTurn, eventIds: readonly EventId[]): Promise<RoomEvent[]> {
  const known = await turn.known.find(eventIds);
  return eventIds.map((eventId) => getKnown(known, eventId).event);
}

/**
 * Whether anybody of a server is in the room. PERF: who was found once is asked for first, and where nobody was it is looked at what has changed of the state since: the whole of
 * it is looked through once, and again where who was found has left.
 */
async function isIn(turn: RoomTurn, server: string, state: StateTrie): Promise<boolean> {
  const { room } = turn;
  const known = room.policyStanding?.server === server ? room.policyStanding : undefined;
  const before = known?.member === undefined ? undefined : state.get(MEMBER, known.member);
  if (before !== undefined && (await findJoined(turn, [before])) !== undefined) return true;
  const nobodyIn = known?.member === undefined ? known?.state : undefined;
  const members: EventId[] = [];
  for (const { type, stateKey, eventId } of nobodyIn === undefined ? state.entries() : changesSince(nobodyIn, state)) {
    if (type === MEMBER && isUserId(stateKey) && serverNameOf(stateKey) === server) members.push(eventId);
  }
  const member = await findJoined(turn, members);
  room.policyStanding = { server, state, ...(member === undefined ? {} : { member }) };
  return member !== undefined;
}

/** The entries of a state that are not so in another one. */
function* changesSince(before: StateTrie, state: StateTrie): Generator<StateEntry, void> {
  for (const { type, stateKey, after } of diffTries(before, state)) {
    if (after !== undefined) yield { type, stateKey, eventId: after };
  }
}

/** The first whose member event says that they are in the room. */
async function findJoined(turn: RoomTurn, members: readonly EventId[]): Promise<UserId | undefined> {
  for (let at = 0; at < members.length; at += AT_ONCE) {
    const events = await eventsOf(turn, members.slice(at, at + AT_ONCE));
    const joined = events.find(({ content }) => content['membership'] === 'join');
    if (joined !== undefined) return joined.stateKey as UserId; // of a member event
  }
  return undefined;
}
