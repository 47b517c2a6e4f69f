import { Inject, Injectable } from '@nestjs/common';
import { Presence } from '#ephemeral/presence/presence';
import { DEVICE_STATES } from '#ephemeral/presence/presence-state';
import { RemotePresence, type ToldPresence } from '#ephemeral/presence/remote-presence';
import { isUserId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { listJoinedRooms } from '#rooms/queries/list-user-rooms';
import type { EduHandler } from '../edus/edu-handlers.js';
import { PRESENCE } from './presence-sender.js';

/** So many of one EDU are looked at. */
const MOST = 1_000;
const MOST_STATUS = 512;

/** `m.presence`: who is there of the users of another server. */
@Injectable()
export class PresenceHandler implements EduHandler {
  readonly type = PRESENCE;

  constructor(
    private readonly presence: Presence,
    private readonly remote: RemotePresence,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** What is told of users of a third server, and of who is in no room that is here, is let be; all of it where presence is off. */
  async receive(origin: ServerName, { push }: JsonObject): Promise<void> {
    if (!this.presence.isOn || !Array.isArray(push)) return;
    for (const update of push.slice(0, MOST) as readonly JsonValue[]) {
      const told = readUpdate(update);
      if (told === undefined || serverNameOf(told.userId) !== origin) continue;
      if ((await listJoinedRooms(this.views, told.userId)).length > 0) this.remote.take(told.userId, told.presence);
    }
  }
}

function readUpdate(update: JsonValue): { readonly userId: UserId; readonly presence: ToldPresence } | undefined {
  if (!isJsonObject(update)) return undefined;
  const { user_id: userId, presence, last_active_ago: ago, status_msg: status } = update;
  const state = DEVICE_STATES.find((one) => one === presence);
  if (typeof userId !== 'string' || !isUserId(userId) || state === undefined) return undefined;
  return {
    userId,
    presence: {
      state,
      currentlyActive: update['currently_active'] === true,
      statusMsg: typeof status === 'string' && status !== '' ? status.slice(0, MOST_STATUS) : undefined,
      lastActiveAgo: typeof ago === 'number' && ago >= 0 ? ago : undefined,
    },
  };
}
