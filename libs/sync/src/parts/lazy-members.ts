import { Injectable } from '@nestjs/common';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { LruCache } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import type { TimelineRow } from '#rooms/projections/timeline-row';

const DEVICES = 5_000;
const MEMBERS_PER_DEVICE = 1_000;

/**
 * Which member events each device was sent lately, so that they are not sent again (client-server API, "Lazy-loading room
 * members"). What is forgotten is sent once more, which does no harm.
 */
@Injectable()
export class LazyMembers {
  readonly #devices = new LruCache<string, LruCache<string, EventId>>(DEVICES);

  /** Forgets what a device was sent: it begins anew. */
  forget({ userId, deviceId }: Requester): void {
    this.#devices.delete(`${userId} ${deviceId}`);
  }

  /** Whether the device was sent this very member event last, of its member in that room. */
  isKnown(requester: Requester, roomId: RoomId, row: TimelineRow): boolean {
    return this.#of(requester).get(keyOf(roomId, row.header.k as UserId)) === row.header.e;
  }

  /** Notes the member events among those that the device is sent. */
  note(requester: Requester, roomId: RoomId, rows: readonly TimelineRow[]): void {
    const sent = this.#of(requester);
    for (const { header } of rows) if (header.m !== undefined) sent.set(keyOf(roomId, header.k as UserId), header.e);
  }

  #of({ userId, deviceId }: Requester): LruCache<string, EventId> {
    const device = `${userId} ${deviceId}`;
    let sent = this.#devices.get(device);
    if (sent === undefined) this.#devices.set(device, (sent = new LruCache(MEMBERS_PER_DEVICE)));
    return sent;
  }
}

function keyOf(roomId: RoomId, userId: UserId): string {
  return `${roomId} ${userId}`;
}
