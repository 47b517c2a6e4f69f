import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { changesBetween, stateAfterEvent } from '../decide/room-state.js';
import type { JoinFilled } from '../facts/join-facts.js';
import type { PduAccepted } from '../facts/room-facts.js';
import { isSameChange } from './graph-problems.js';
import type { VerifiedEvents } from './verified-events.js';

/** A room of which a part of the state was told, as its verifier has it. */
export class VerifiedPartial {
  /** The join event, and those upon it. */
  readonly #upon: EventId[];
  #rest = StateTrie.empty;

  constructor(joined: EventId) {
    this.#upon = [joined];
  }

  /** Takes a part of that; answers what is wrong with it. */
  take(entry: readonly [type: string, stateKey: string, eventId: EventId]): string[] {
    const [type, stateKey, eventId] = entry;
    const isAgain = this.#rest.get(type, stateKey) !== undefined;
    this.#rest = this.#rest.set(...entry);
    return isAgain ? [`${eventId} is told twice of the room`] : [];
  }

  /** Takes an event: such a room has one end, and no event of another server. */
  note({ eventId }: RoomEvent, { origin }: PduAccepted, extremities: number): string[] {
    this.#upon.push(eventId);
    return origin === undefined && extremities === 1
      ? []
      : [`${eventId}: came to a room of which only a part was there`];
  }

  /**
   * The states after its events by the whole one before the join event, the last of which is the room's, and what is wrong with what is told
   * of them. `current`: the room's as far as it was told.
   */
  check(
    { states }: JoinFilled,
    whole: StateTrie,
    current: StateTrie,
    version: RoomVersion,
    events: Pick<VerifiedEvents, 'get' | 'refusalByState'>,
  ): {
    readonly after: ReadonlyMap<EventId, StateTrie>;
    readonly current: StateTrie;
    readonly problems: string[];
  } {
    const problems: string[] = [];
    if (states.map(({ event_id: id }) => id).join() !== this.#upon.join())
      problems.push('the room is filled at other events');
    const told = new Map(states.map((one) => [one.event_id, one]));
    const after = new Map<EventId, StateTrie>();
    let before = whole;
    for (const eventId of this.#upon) {
      const event = events.get(eventId);
      const refusal = event && events.refusalByState(event, before);
      if (refusal !== undefined) problems.push(`${eventId}: not allowed by the whole state before it: ${refusal}`);
      const state = event === undefined ? before : stateAfterEvent(before, event, version);
      const one = told.get(eventId);
      if (one !== undefined && !isSameChange(changesBetween(before, state), one.state))
        problems.push(`${eventId}: the state delta is not its own effect`);
      if (one?.root !== state.rootHash)
        problems.push(`${eventId}: the state after it has the root ${state.rootHash}, not ${one?.root}`);
      after.set(eventId, state);
      before = state;
    }
    const isAll = this.#rest.change([...current.entries()]).rootHash === before.rootHash;
    if (!isAll) problems.push('what is told of the state is not all that it lacked');
    return { after, current: before, problems };
  }
}
