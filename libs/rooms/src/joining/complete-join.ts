import type { EventStore } from '#event-store/event-store';
import { type EventId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { each } from '#kernel/steps';
import { inTurns } from '#projections/turn';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { pduTextOf } from '../facts/fact-text.js';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '../facts/log-limits.js';
import { isSummarised } from '../projections/room-summary.projector.js';
import { judgePdu } from '../receive/judge-pdu.js';
import type { PreparedPdu } from '../receive/outcome.js';
import { type BroughtState, checkJoin, takeJoinEvent, takeState } from '../worker/join-in-turn.js';
import { readRevisions } from '../worker/read-revisions.js';
import type { RoomTask, TurnResult } from '../worker/room-workers.js';
import type { JoiningRoom } from './joining-room.js';

/** How many events of the state one write takes at most. */
const PIECE = 128;

export interface Completion {
  /** Its state is the one before the join event. */
  readonly room: JoiningRoom;
  /** The revision at which the join began. */
  readonly begun: number;
  readonly join: PreparedPdu;
  readonly store: Pick<EventStore, 'readStream'>;
  readonly write: (actor: UserId | ServerName, task: RoomTask<unknown>) => Promise<TurnResult<unknown>>;
}

/** Why the room's own rules do not let the join event in. */
export interface Refused {
  readonly refusal: string;
}

/**
 * Writes the current state of a room that was told, and the join event: what is there of it already is not written again. First what
 * shows nowhere by itself; then, in one write with the join event, all by which somebody here sees the room: of its members here as
 * many as one write takes, for more are of a room that was lost here. Answers the position of that, or why the join event is refused,
 * with nothing written.
 */
export async function completeJoin({ room, begun, join, store, write }: Completion): Promise<Position | Refused> {
  const joined = await judgePdu(join, room);
  if (joined.kind !== 'accepted') {
    return { refusal: 'reason' in joined ? joined.reason : `the join event is ${joined.kind}` };
  }
  const user = join.event.sender;
  const { quiet, shown } = await inOrder(room, serverNameOf(user));
  for await (const events of piecesOf(quiet, room, store)) await takeQuietly(events);
  const last: BroughtState[] = [];
  let bytes = 0;
  for await (const events of piecesOf(shown, room, store)) {
    for (const one of events) bytes += bytesOf(one);
    if (last.length === 0 || bytes <= MOST_IN_A_WRITE) last.push(...events);
    else await takeQuietly(events);
  }
  const { position } = await write(user, async (turn) => {
    checkJoin(turn, begun);
    takeAll(last, turn);
    takeJoinEvent(turn, joined);
  });
  return position!;

  async function takeQuietly(events: readonly BroughtState[]): Promise<void> {
    await write(join.origin, async (turn) => {
      checkJoin(turn, begun);
      takeAll(events, turn);
    });
  }

  function takeAll(events: readonly BroughtState[], turn: Parameters<RoomTask<unknown>>[0]): void {
    for (const one of events) {
      if (turn.head.state.get(one.type, one.stateKey) === undefined) takeState(turn, one, join.origin);
    }
    // PERF: its hash is computed as it grows, not all of it at the end.
    void turn.head.state.rootHash;
  }
}

/**
 * The entries of a state in the order in which they are written. A room is known by its create event, of which the others are told
 * more, and to a user here by their membership.
 */
export async function inOrder(
  { state, index }: JoiningRoom,
  serverName: ServerName,
): Promise<{ quiet: StateEntry[]; shown: StateEntry[] }> {
  const ofState = new Map<EventId, StateEntry>();
  await inTurns(each(state.entries(), (entry) => ofState.set(entry.eventId, entry)));
  const quiet: StateEntry[] = [];
  const ofRoom: StateEntry[] = [];
  const members: StateEntry[] = [];
  // PERF: in the order in which they lie in the log many are read at once.
  const place = (eventId: EventId): void => {
    const entry = ofState.get(eventId);
    if (entry === undefined) return;
    if (isSummarised(entry)) ofRoom.push(entry);
    else if (entry.type !== 'm.room.member' || !entry.stateKey.endsWith(`:${serverName}`)) quiet.push(entry);
    else members.push(entry);
  };
  await inTurns(each(index.outliers.keys(), place));
  ofRoom.sort((a, b) => Number(b.type === 'm.room.create') - Number(a.type === 'm.room.create'));
  return { quiet, shown: [...ofRoom, ...members] };
}

/** What goes into one write, one after another. */
export async function* piecesOf(
  entries: readonly StateEntry[],
  room: JoiningRoom,
  store: Pick<EventStore, 'readStream'>,
): AsyncGenerator<BroughtState[]> {
  for (let at = 0; at < entries.length; at += PIECE) {
    yield* inGroups(await readEvents(entries.slice(at, at + PIECE), room, store), bytesOf, MOST_IN_A_WRITE);
  }
}

function bytesOf({ pduText }: BroughtState): number {
  return bytesInLog(pduText);
}

async function readEvents(
  entries: readonly StateEntry[],
  { roomId, index }: JoiningRoom,
  store: Pick<EventStore, 'readStream'>,
): Promise<BroughtState[]> {
  const revisionOf = ({ eventId }: StateEntry): number => index.outliers.get(eventId)!.revision;
  const facts = await readRevisions(store, roomId, entries.map(revisionOf));
  return entries.map((entry) => ({ ...entry, pduText: pduTextOf(facts.get(revisionOf(entry))!.data) }));
}
