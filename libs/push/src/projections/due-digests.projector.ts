import type { RecordedFact } from '#event-store/event-store';
import { whenThere } from '#kernel/answer';
import type { UserId } from '#kernel/ids';
import { asMark, asNumber, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { PUSHER_SHAPES, type PusherName, type PusherSet, userIdOfPushers } from '../facts/pusher-facts.js';

/** Which pushers it is looked at next of what they mail: what is due the longest comes first. */
export const DUE_DIGESTS = new Collection<readonly [at: string, userId: UserId, appId: string, pushkey: string], true>(
  'due-digests',
  {
    key: ['moment, with leading zeros', 'user', 'app id', 'pushkey'],
    says: 'that it is looked at then what is to be mailed',
    codec: asMark,
  },
);

/** When it is looked at each. */
const DIGESTS = new Collection<readonly [userId: UserId, appId: string, pushkey: string], number>('digests', {
  key: ['user', 'app id', 'pushkey'],
  says: 'when it is looked at what is to be mailed',
  codec: asNumber,
});

/** As the keys of DUE_DIGESTS begin. */
const keyOfMoment = (at: number): string => String(at).padStart(15, '0');

/** When it is to be looked at what is unread of who has it mailed. */
export const dueDigestsProjector: Projector = {
  name: 'due-digests',
  version: 1,
  ...owning(DIGESTS, DUE_DIGESTS),
  handles: (type) => Object.hasOwn(PUSHER_SHAPES, type),
  project,
};

function project({ stream, type, data }: RecordedFact, rows: OwnRows): void | Promise<void> {
  const userId = userIdOfPushers(stream);
  if (type === 'pushers-ended') return endAll(userId, rows);
  const pusher = JSON.parse(data) as PusherName & Partial<PusherSet>; // written by this library
  return put(userId, pusher, type === 'pusher-set' ? pusher.digest?.due_at : undefined, rows);
}

function put(
  userId: UserId,
  { app_id: appId, pushkey }: PusherName,
  dueAt: number | undefined,
  rows: OwnRows,
): void | Promise<void> {
  const key = [userId, appId, pushkey] as const;
  return whenThere(DIGESTS.get(rows, key), (before) => {
    if (before !== undefined) DUE_DIGESTS.delete(rows, [keyOfMoment(before), ...key]);
    if (dueAt !== undefined) {
      DIGESTS.put(rows, key, dueAt);
      DUE_DIGESTS.put(rows, [keyOfMoment(dueAt), ...key], true);
    } else if (before !== undefined) DIGESTS.delete(rows, key);
  });
}

async function endAll(userId: UserId, rows: OwnRows): Promise<void> {
  const names: PusherName[] = [];
  await DIGESTS.forEach(rows, { prefix: [userId] }, ({ key }) => void names.push({ app_id: key[1], pushkey: key[2] }));
  for (const name of names) await put(userId, name, undefined, rows);
}
