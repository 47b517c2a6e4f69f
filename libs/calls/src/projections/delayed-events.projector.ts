import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type EndedDelay, findOld } from '../decide/known-delays.js';
import {
  DELAYED_EVENT_SHAPES,
  type DelayDelegated,
  type DelayedEventFact,
  type Delegation,
  userIdOfDelayed,
} from '../facts/delayed-event-facts.js';

/** Whose a delayed event is, since when what time is counted, in milliseconds, and who has it looked after; these undefined where it has ended. */
export interface DelayRow {
  readonly userId: UserId;
  readonly since?: number;
  readonly delay?: number;
  readonly delegation?: Delegation;
  /** As of DelayRestarted. */
  readonly seen?: number;
}

export const DELAYED_EVENTS = new Collection<readonly [delayId: string], DelayRow>('delayed-events', {
  key: ['delay id'],
  says: 'whose the delayed event is, since when its time is counted, and how long that is, where it is not over; and whose hang-up it is that is looked after',
  codec: asJson(),
});

export const DELAYS_OF_USERS = new Collection<
  readonly [userId: UserId, delayId: string],
  { readonly ended?: number; readonly nth?: number }
>('delays-of-users', {
  key: ['user', 'delay id'],
  says: 'that the user has such a delayed event, when it ended, and as which of theirs',
  codec: asJson(),
});

export const DELEGATED_LEAVES = new Collection<
  readonly [room: string, identity: string],
  { readonly userId: UserId; readonly delayId: string }
>('delegated-leaves', {
  key: ['room of LiveKit', 'participant'],
  says: 'which delayed event is to be sent once the participant is gone',
  codec: asJson(),
});

/** Whose each delayed event is, as long as it is known what became of it. */
export const delayedEventsProjector: Projector = {
  name: 'delayed-events',
  version: 6,
  ...owning(DELAYED_EVENTS, DELAYS_OF_USERS, DELEGATED_LEAVES),
  handles: (type) => Object.hasOwn(DELAYED_EVENT_SHAPES, type),
  // As of `findOverDelays`.
  isForgotten: (type) => Object.hasOwn(DELAYED_EVENT_SHAPES, type),
  project,
};

async function project({ stream, type, data }: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfDelayed(stream);
  const fact = { type, data: JSON.parse(data) as unknown } as DelayedEventFact; // written by this library
  if (fact.type === 'delayed-events-ended') return dropAll(rows, userId);
  const { delay_id: id } = fact.data;
  const known = await DELAYED_EVENTS.get(rows, [id]);
  if (fact.type === 'event-delayed') {
    // Said again, behind a restart or its end: those hold.
    if (known !== undefined) return;
    DELAYED_EVENTS.put(rows, [id], { userId, since: fact.data.running_since, delay: fact.data.delay });
    DELAYS_OF_USERS.put(rows, [userId, id], {});
  } else if (fact.type === 'delay-restarted') {
    if (known?.delay === undefined) return;
    DELAYED_EVENTS.put(rows, [id], { ...known, since: fact.data.running_since, seen: fact.data.seen });
  } else if (fact.type === 'delay-delegated') {
    await delegate(rows, userId, known, fact.data);
  } else {
    await endDelegation(rows, id, known);
    DELAYED_EVENTS.put(rows, [id], { userId });
    DELAYS_OF_USERS.put(rows, [userId, id], { ended: fact.data.ended_at, nth: fact.data.nth });
    await forgetOld(rows, userId);
  }
}

/** As `evolveDelays` does. Of one that has ended it is said again: then none of this user is looked after any more that was before. */
async function delegate(
  rows: OwnRows,
  userId: UserId,
  known: DelayRow | undefined,
  { delay_id: id, ...delegation }: DelayDelegated,
): Promise<void> {
  const key = [delegation.room, delegation.identity] as const;
  const before = await DELEGATED_LEAVES.get(rows, key);
  const isOver = known?.delay === undefined;
  if (isOver && before?.userId !== userId) return;
  const other = before && (await DELAYED_EVENTS.get(rows, [before.delayId]));
  if (other !== undefined) DELAYED_EVENTS.put(rows, [before!.delayId], { ...other, delegation: undefined });
  if (isOver) return DELEGATED_LEAVES.delete(rows, key);
  await endDelegation(rows, id, known);
  DELAYED_EVENTS.put(rows, [id], { ...known, delegation });
  DELEGATED_LEAVES.put(rows, key, { userId, delayId: id });
}

/** Lets go of what would be sent once the participant is gone, where it is this one. */
async function endDelegation(rows: OwnRows, id: string, known: DelayRow | undefined): Promise<void> {
  if (known?.delegation === undefined) return;
  const key = [known.delegation.room, known.delegation.identity] as const;
  if ((await DELEGATED_LEAVES.get(rows, key))?.delayId === id) DELEGATED_LEAVES.delete(rows, key);
}

/** As `evolveDelays` does. */
async function forgetOld(rows: OwnRows, userId: UserId): Promise<void> {
  const ended: EndedDelay[] = [];
  await DELAYS_OF_USERS.forEach(rows, { prefix: [userId] }, ({ key: [, id], value: { ended: at, nth } }) => {
    if (at !== undefined) ended.push({ id, at, nth });
  });
  await drop(rows, userId, findOld(ended));
}

async function dropAll(rows: OwnRows, userId: UserId): Promise<void> {
  const ids: string[] = [];
  await DELAYS_OF_USERS.forEach(rows, { prefix: [userId] }, ({ key }) => void ids.push(key[1]));
  await drop(rows, userId, ids);
}

async function drop(rows: OwnRows, userId: UserId, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await endDelegation(rows, id, await DELAYED_EVENTS.get(rows, [id]));
    DELAYED_EVENTS.delete(rows, [id]);
    DELAYS_OF_USERS.delete(rows, [userId, id]);
  }
}
