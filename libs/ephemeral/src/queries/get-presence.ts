import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { RoomMates } from '#devices/queries/room-mates';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { Subscribers } from '../lists/subscribers.js';
import { Presence } from '../presence/presence.js';
import { contentOfPresence, type PresenceForm } from '../presence/shown-presence.js';

/**
 * The presence of oneself, of somebody who is in a room with the requester, or who lets them follow it by their presence list: client-server
 * API, GET /presence/{userId}/status; 2014/15, "Presence and Permissions". Also of whom the requester ignores: "Ignoring Users" keeps their events away, not what is asked for by their name. Throws M_FORBIDDEN for
 * everybody else, there or not. Where presence is off everybody is offline.
 */
export class GetPresence extends Query<JsonObject> {
  constructor(
    readonly requester: Requester,
    readonly userId: UserId,
    readonly form: PresenceForm,
  ) {
    super();
  }
}

@QueryHandler(GetPresence)
export class GetPresenceHandler implements IQueryHandler<GetPresence> {
  constructor(
    private readonly presence: Presence,
    private readonly subscribers: Subscribers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, userId, form }: GetPresence): Promise<JsonObject> {
    if (!this.presence.isOn) return { presence: 'offline' };
    const mates = new RoomMates(this.views, requester.userId);
    if (!(await mates.has(userId)) && !(await this.subscribers.follows(requester.userId, userId))) {
      throw new MatrixError('M_FORBIDDEN', 'You are not allowed to see their presence');
    }
    const shown = await this.presence.get(userId);
    // Of a user of another server nothing may have been told yet.
    if (shown === undefined) return { presence: 'offline' };
    return contentOfPresence(shown, userId === requester.userId, form);
  }
}
