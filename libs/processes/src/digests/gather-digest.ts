import { Inject, Injectable } from '@nestjs/common';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { type FreshRoom, isUntold } from '#push/digests/decide-digest';
import type { Digest } from '#push/digests/digest';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { type RowHeader, rowHeaderOf } from '#rooms/projections/timeline-row';
import { Badges } from '#sync/unread/badges';

/** What of a room is unread and was not mailed. */
export interface UnreadRoom extends FreshRoom {
  /** Where the events stand, in their order; none of a room that the user is only invited to. */
  readonly positions: readonly Position[];
  readonly highlights: number;
}

/** Finds what is unread for a user and was not mailed: by the same counts as /sync and the number on an application's picture. */
@Injectable()
export class GatherDigest {
  constructor(
    private readonly badges: Badges,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** As of now. `upTo`: what came after a place is none of it. */
  async gather(userId: UserId, digest: Digest, now: number, upTo?: Position): Promise<UnreadRoom[]> {
    const { events, invitations } = await this.badges.read(userId);
    const isMeant = (position: Position): boolean =>
      isUntold(digest, position) && (upTo === undefined || position <= upTo);
    const rooms: UnreadRoom[] = [];
    for (const [roomId, all] of events) {
      const fresh = all.filter(({ position }) => isMeant(position));
      const [first, last] = [fresh[0], fresh.at(-1)];
      if (first === undefined || last === undefined) continue;
      const positions = fresh.map(({ position }) => position);
      const highlights = fresh.filter(({ isHighlight }) => isHighlight).length;
      const came = { firstAt: cameAt(first, now), newestAt: cameAt(last, now) };
      rooms.push({ roomId, ...came, upTo: last.position, positions, highlights });
    }
    for (const [roomId, position] of invitations) {
      if (!isMeant(position)) continue;
      const at = await this.#invitedAt(roomId, position, now);
      rooms.push({ roomId, firstAt: at, newestAt: at, upTo: position, positions: [], highlights: 0 });
    }
    return rooms;
  }

  async #invitedAt(roomId: RoomId, position: Position, now: number): Promise<number> {
    const text = await TIMELINE.get(this.views, [roomId, position]);
    return text === undefined ? UNKNOWN : cameAt(rowHeaderOf(text), now);
  }
}

/** Of what is not known to have come at any time it may be told at once: it is looked at no sooner than the user may be mailed. */
const UNKNOWN = 0;

/** When an event came. Nobody says when of an invitation to a room that is not here, nor of state that says to be of a later time. */
function cameAt({ sentAt, arrivedAt }: Pick<RowHeader, 'sentAt' | 'arrivedAt'>, now: number): number {
  const at = arrivedAt ?? sentAt;
  return at > now ? UNKNOWN : at;
}
