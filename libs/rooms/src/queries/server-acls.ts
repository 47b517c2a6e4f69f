import { Inject, Injectable } from '@nestjs/common';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { compileAcl, type ServerAcl } from '#protocol/server-acl';
import { contentOfRow } from '../projections/timeline-row.js';
import type { AccessLists } from '../reading/server-reader.js';
import { findStateRow } from './state-rows.js';

const CAPACITY = 1_000;

/**
 * The access lists of rooms, as of the views: which servers a room lets take part. Server-server API, "Server Access Control Lists
 * (ACLs)". Who holds the room asks its turn (`isLetInByTurn`), as of the log.
 */
@Injectable()
export class ServerAcls implements AccessLists {
  readonly #compiled = new LruCache<EventId, ServerAcl>(CAPACITY);

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#compiled.numbers;
  }

  /** Whether the current state of a room lets a server take part. Every room that is not here does. */
  async isLetIn(roomId: RoomId, server: ServerName): Promise<boolean> {
    const row = await findStateRow(this.views, roomId, 'm.room.server_acl', '');
    if (row === undefined) return true;
    const { eventId, redactedBy: key = eventId } = row.header; // what a redaction leaves of a list is another one
    let acl = this.#compiled.get(key);
    if (acl === undefined) {
      acl = compileAcl(contentOfRow(row));
      this.#compiled.set(key, acl);
    }
    return acl(server);
  }
}
