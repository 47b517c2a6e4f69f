import { Inject, Injectable, Optional } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused } from '#kernel/peer-errors';
import type { Requester } from '#kernel/requester';
import type { MembershipTold } from '../facts/elsewhere-facts.js';
import { tellerOf } from '../projections/kept-memberships.projector.js';
import { REMOTE_ROOMS, type RemoteEvent, type RemoteRooms } from '../remote-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import { isOpen, MembershipsElsewhere, type PlaceElsewhere } from './memberships-elsewhere.js';

/** Ends what users here are in rooms that are not here. */
@Injectable()
export class StaysElsewhere {
  constructor(
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(CLOCK) private readonly clock: Clock,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  /**
   * Lets a user leave a room that is not here: declines an invitation, takes a knock back, ends what other servers were given and may
   * have taken. Where none of them takes it, the user has left all the same. Not so where nobody could be reached who may have let the user in:
   * then M_UNKNOWN, with status 502, is thrown, and it is tried again (`SettleHandshake`). Answers whether there was anything to leave. In the
   * user's turn (`Handshakes.inTurn`).
   */
  async leave(requester: Requester, roomId: RoomId, reason?: string): Promise<boolean> {
    const { userId } = requester;
    const { handshakes } = this.elsewhere;
    const place = await this.elsewhere.find(userId, roomId);
    const open = await handshakes.list(userId, roomId);
    if (place === undefined && open.length === 0) return false;
    const isShown = place !== undefined && isOpen(place);
    if (!isShown && open.length === 0) return true;
    for (const one of open) handshakes.giveUp(one);
    const content = { membership: 'leave', ...(reason === undefined ? {} : { reason }) };
    const servers = [...open.map(({ server }) => server), ...(place?.servers ?? [])];
    const mayBeIn = open.some(({ membership }) => membership !== 'leave');
    const taken = await this.#ask(requester, roomId, content, servers, mayBeIn);
    // What one server takes another need not hear of: it may be in another room of the same id, or in none.
    for (const told of place?.beside ?? [])
      await this.#ask(requester, roomId, content, [tellerOf(told, userId)], false);
    if (isShown) await this.#tell(requester, roomId, content, place, taken);
    await handshakes.endAll(requester, roomId);
    return true;
  }

  /** undefined where no server takes it: that it is gone, or wants to know nothing of the user, keeps nobody. */
  async #ask(
    requester: Requester,
    roomId: RoomId,
    content: JsonObject,
    servers: readonly ServerName[],
    mayBeIn: boolean,
  ): Promise<RemoteEvent | undefined> {
    const asked = { requester, roomId, content, servers };
    try {
      return await this.elsewhere.handshakes.run({ requester, roomId, membership: 'leave' }, async (beforeGiven) =>
        this.others?.leave({ ...asked, beforeGiven }),
      );
    } catch (error) {
      if (!(error instanceof MatrixError || error instanceof PeerRefused)) throw error;
      if (mayBeIn && isOutage(error)) throw error;
      return undefined;
    }
  }

  async #tell(
    requester: Requester,
    roomId: RoomId,
    content: JsonObject,
    { roomVersion, event_id: eventId, beside }: PlaceElsewhere,
    taken: RemoteEvent | undefined,
  ): Promise<void> {
    const { userId } = requester;
    const said = {
      content,
      origin_server_ts: this.clock.now(),
      sender: userId,
      state_key: userId,
      type: 'm.room.member',
    };
    const told: MembershipTold = {
      room_id: roomId,
      room_version: roomVersion,
      membership: 'leave',
      event_id: taken?.eventId ?? eventId,
      ...(taken === undefined ? {} : { origin: taken.server }),
      pdu: taken?.pdu ?? said,
      state: [],
    };
    const over = beside.map((one) => ({ ...one, membership: 'leave' as const, state: [] }));
    await this.elsewhere.tell(userId, told, contextOf(requester), over);
  }
}

/** Whether what another server may have taken is not known, because it could not be asked. */
export function isOutage(error: MatrixError | PeerRefused): boolean {
  return error.status >= 500;
}
