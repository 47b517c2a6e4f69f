import type { EventId, ServerName, UserId } from '#kernel/ids';
import type { ChangedState, PduWithState } from './room-facts.js';

/** `state-learnt`: a part of the state before an event, as another server told it. The state counts once all parts are there. */
export interface StateLearnt {
  /** The event before which it is the state. */
  readonly event_id: EventId;
  readonly origin: ServerName;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  /** Of the whole state. */
  readonly root: string;
  readonly state: readonly (readonly [type: string, stateKey: string, eventId: EventId])[];
}

/** `join-begun`: this server is being told a room it does not have yet. Nothing of it shows until `join-completed`. */
export interface JoinBegun {
  readonly room_version: string;
  readonly user_id: UserId;
  readonly via: ServerName;
  /** Members are left out of the state that is told: these servers have some in the room. */
  readonly servers?: readonly ServerName[];
}

/**
 * `state-taken`: an event of the state that a join brought (`state-learnt`) holds its key in the current state from here on. It came
 * as an outlier; this fact carries it for the views, which keep no outliers. Once the first of them is there the join is completed,
 * whatever happens. Those by which a room shows, and the join event, stand in one write with `join-completed`. Of a room that is partial
 * it counts with `join-filled`.
 */
export interface StateTaken extends Pick<PduWithState, 'event_id' | 'room_version' | 'state' | 'visibility' | 'pdu'> {
  readonly origin: ServerName;
}

/** `join-completed`: all that the join brought is there, and shows from here on. */
export interface JoinCompleted {
  readonly event_id: EventId;
  /** The state that was told is a part of the state before the join event: it lacks members, until `join-filled`. */
  readonly partial?: PartialJoin;
}

/** What is known of a room of which only a part was told. */
export interface PartialJoin {
  readonly via: ServerName;
  /** The servers with members in it, as that one says. */
  readonly servers: readonly ServerName[];
}

/** The state after an event, told as a change of another. */
export interface StateAgain extends ChangedState {
  readonly event_id: EventId;
}

/**
 * `join-filled`: what the state before a join event lacked is there (`state-learnt`, and of what it lacked `state-taken`). From here on
 * the room's current state holds it, and so do the states after that event and after each of those that came upon it, one upon
 * another: all of users here.
 */
export interface JoinFilled {
  readonly event_id: EventId;
  /** The join event first. Each is told as a change of the one before; the first of the state that was learnt. */
  readonly states: readonly StateAgain[];
}

/** `join-given-up`: nothing of the room ever shows by this join. Another one may begin, and finds the outliers of this one. */
export interface JoinGivenUp {
  readonly reason: string;
}
