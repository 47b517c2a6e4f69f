import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { PUSHER_SHAPES, type PusherName, type PusherSet, userIdOfPushers } from '../facts/pusher-facts.js';

export const PUSHERS = new Collection<readonly [userId: UserId, appId: string, pushkey: string], PusherSet>('pushers', {
  key: ['user', 'app id', 'pushkey'],
  says: 'where the user’s notifications go, for which device, and what its client calls it',
  codec: asJson(),
});

export const PUSHER_USERS = new Collection<readonly [appId: string, pushkey: string, userId: UserId], true>(
  'pusher-users',
  { key: ['app id', 'pushkey', 'user'], says: 'that the user has such a pusher', codec: asMark },
);

/** The pushers of each user, and the users of each pusher. */
export const pushersProjector: Projector = {
  name: 'pushers',
  version: 1,
  ...owning(PUSHERS, PUSHER_USERS),
  handles: (type) => Object.hasOwn(PUSHER_SHAPES, type),
  project,
};

async function project({ stream, type, data }: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfPushers(stream);
  if (type === 'pushers-ended') {
    const names: PusherName[] = [];
    await PUSHERS.forEach(rows, { prefix: [userId] }, ({ value }) => void names.push(value));
    for (const name of names) remove(rows, userId, name);
    return;
  }
  if (type === 'pusher-removed') return remove(rows, userId, JSON.parse(data) as PusherName);
  const pusher = JSON.parse(data) as PusherSet; // written by this library
  PUSHERS.put(rows, [userId, pusher.app_id, pusher.pushkey], pusher);
  PUSHER_USERS.put(rows, [pusher.app_id, pusher.pushkey, userId], true);
}

function remove(rows: OwnRows, userId: UserId, { app_id, pushkey }: PusherName): void {
  PUSHERS.delete(rows, [userId, app_id, pushkey]);
  PUSHER_USERS.delete(rows, [app_id, pushkey, userId]);
}
