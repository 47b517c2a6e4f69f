import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { findOld } from '../decide/known-delays.js';
import { DELAYED_EVENT_SHAPES, type DelayedEventFact, userIdOfDelayed } from '../facts/delayed-event-facts.js';

/** Whose a delayed event is, and since when what time is counted, in milliseconds; both undefined where it has ended. */
export interface DelayRow {
  readonly userId: UserId;
  readonly since?: number;
  readonly delay?: number;
}

export const DELAYED_EVENTS = new Collection<readonly [delayId: string], DelayRow>('delayed-events', {
  key: ['delay id'],
  says: 'whose the delayed event is, since when its time is counted, and how long that is, where it is not over',
  codec: asJson(),
});

export const DELAYS_OF_USERS = new Collection<readonly [userId: UserId, delayId: string], { readonly ended?: number }>(
  'delays-of-users',
  { key: ['user', 'delay id'], says: 'that the user has such a delayed event, and when it ended', codec: asJson() },
);

/** Whose each delayed event is, as long as it is told what became of it. */
export const delayedEventsProjector: Projector = {
  name: 'delayed-events',
  version: 2,
  ...owning(DELAYED_EVENTS, DELAYS_OF_USERS),
  handles: (type) => Object.hasOwn(DELAYED_EVENT_SHAPES, type),
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
    DELAYED_EVENTS.put(rows, [id], { userId, since: fact.data.running_since, delay: known.delay });
  } else {
    DELAYED_EVENTS.put(rows, [id], { userId });
    DELAYS_OF_USERS.put(rows, [userId, id], { ended: fact.data.ended_at });
    await forgetOld(rows, userId);
  }
}

/** As `evolveDelays` does. */
async function forgetOld(rows: OwnRows, userId: UserId): Promise<void> {
  const ended: { id: string; at: number }[] = [];
  await DELAYS_OF_USERS.forEach(rows, { prefix: [userId] }, ({ key: [, id], value: { ended: at } }) => {
    if (at !== undefined) ended.push({ id, at });
  });
  drop(rows, userId, findOld(ended));
}

async function dropAll(rows: OwnRows, userId: UserId): Promise<void> {
  const ids: string[] = [];
  await DELAYS_OF_USERS.forEach(rows, { prefix: [userId] }, ({ key }) => void ids.push(key[1]));
  drop(rows, userId, ids);
}

function drop(rows: OwnRows, userId: UserId, ids: readonly string[]): void {
  for (const id of ids) {
    DELAYED_EVENTS.delete(rows, [id]);
    DELAYS_OF_USERS.delete(rows, [userId, id]);
  }
}
