import { Inject, Injectable } from '@nestjs/common';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { compileAcl, NO_ACL, type ServerAcl } from '#protocol/server-acl';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { findStateRow } from '#rooms/queries/state-rows';

const CAPACITY = 1_000;
/** Of one EDU so many rooms are looked at, each of which is a row to be read. */
const MOST_ROOMS = 1_000;

/** The access lists of rooms: which servers a room lets speak. Server-server API, "Server Access Control Lists (ACLs)". */
@Injectable()
export class ServerAcls {
  readonly #compiled = new LruCache<EventId, ServerAcl>(CAPACITY);

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#compiled.numbers;
  }

  /** Whether the current state of a room lets a server speak there, as of the views. Every room that is not here does. */
  async isAllowed(roomId: RoomId, server: ServerName): Promise<boolean> {
    const row = await findStateRow(this.views, roomId, 'm.room.server_acl', '');
    if (row === undefined) return NO_ACL(server);
    const { eventId, redactedBy: key = eventId } = row.header; // what a redaction leaves of a list is another one
    let acl = this.#compiled.get(key);
    if (acl === undefined) {
      acl = compileAcl(contentOfRow(row));
      this.#compiled.set(key, acl);
    }
    return acl(server);
  }

  /**
   * The content of an EDU with what is local to a room only of rooms that let the server speak; undefined where nothing is left
   * (typing notifications, receipts: MSC4163). `refuse` is told of each other room.
   */
  async filterEdu(
    origin: ServerName,
    type: string,
    content: JsonObject,
    refuse: (roomId: string) => void,
  ): Promise<JsonObject | undefined> {
    const isLetIn = async (roomId: string): Promise<boolean> => {
      const isAllowed = await this.isAllowed(roomId as RoomId, origin);
      if (!isAllowed) refuse(roomId);
      return isAllowed;
    };
    if (type === 'm.typing') {
      const roomId = content['room_id'];
      return typeof roomId === 'string' && (await isLetIn(roomId)) ? content : undefined;
    }
    if (type !== 'm.receipt') return content;
    const left: [string, JsonObject][] = [];
    for (const [roomId, receipts] of Object.entries(content).slice(0, MOST_ROOMS)) {
      if (isJsonObject(receipts) && (await isLetIn(roomId))) left.push([roomId, receipts]);
    }
    return left.length === 0 ? undefined : Object.fromEntries(left);
  }
}
