import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { PusherName, PusherSet } from '../facts/pusher-facts.js';
import { PUSHER_USERS, PUSHERS } from '../projections/pushers.projector.js';

/** The pushers of a user. */
export async function listPushers(views: Pick<Views, 'scan'>, userId: UserId): Promise<PusherSet[]> {
  const pushers: PusherSet[] = [];
  for await (const page of PUSHERS.pages(views, { prefix: [userId] })) pushers.push(...page.map(({ value }) => value));
  return pushers;
}

/** The users who have a pusher by a name. */
export async function listUsersOfPusher(
  views: Pick<Views, 'scan'>,
  { app_id, pushkey }: PusherName,
): Promise<UserId[]> {
  const users: UserId[] = [];
  for await (const page of PUSHER_USERS.pages(views, { prefix: [app_id, pushkey] }))
    users.push(...page.map(({ key }) => key[2]));
  return users;
}
