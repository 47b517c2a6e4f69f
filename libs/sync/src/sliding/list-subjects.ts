import { Inject, Injectable } from '@nestjs/common';
import { ACCOUNT_DATA } from '#accounts/projections/account-data-row';
import type { RoomId, UserId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { listStateRows } from '#rooms/queries/state-rows';
import type { ActiveUser } from '../notifier/active-user.js';
import { readAllAccountData } from '../streams/read-account-data.js';
import { type FilterSubjects, subjectsOf } from './select-rooms.js';
import type { SlidingRequest } from './sliding-request.js';

type Tags = FilterSubjects['tags'];

const USERS = 5_000;
const NO_TAGS: Tags = new Map();

/** Reads what the filters of lists look at besides rooms: the user's direct chats and tags, and the children of spaces. */
@Injectable()
export class ListSubjects {
  readonly #direct = new LruCache<UserId, { readonly text: string; readonly rooms: ReadonlySet<string> }>(USERS);
  readonly #tags = new LruCache<UserId, { readonly upTo: Position; readonly tags: Tags }>(USERS);

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { 'direct-chats': this.#direct.numbers, 'room-tags': this.#tags.numbers };
  }

  /** As of an answer that ends at a position. */
  async read(user: ActiveUser, request: SlidingRequest, upTo: Position): Promise<FilterSubjects> {
    const { hasTags, spaces } = subjectsOf(request);
    return {
      direct: await this.#readDirect(user.userId),
      tags: hasTags ? await this.#readTags(user, upTo) : NO_TAGS,
      children: await this.#readChildren(user, spaces),
    };
  }

  /** The rooms that `m.direct` names. */
  async #readDirect(userId: UserId): Promise<ReadonlySet<string>> {
    const text = (await ACCOUNT_DATA.get(this.views, [userId, '', 'm.direct']))?.content ?? '{}';
    const known = this.#direct.get(userId);
    if (known?.text === text) return known.rooms;
    const content: unknown = JSON.parse(text);
    const named = isJsonObject(content)
      ? Object.values(content).flatMap((rooms) => (Array.isArray(rooms) ? rooms : []))
      : [];
    const rooms = new Set(named.filter((roomId) => typeof roomId === 'string'));
    this.#direct.set(userId, { text, rooms });
    return rooms;
  }

  async #readTags(user: ActiveUser, upTo: Position): Promise<Tags> {
    const known = this.#tags.get(user.userId);
    if (known !== undefined && user.hasOwnFactsSince(known.upTo) === false) return known.tags;
    const { rooms } = await readAllAccountData(this.views, user.userId, upTo);
    const tags = new Map<RoomId, ReadonlySet<string>>();
    for (const [roomId, data] of rooms) {
      const content: unknown = JSON.parse(data.find(({ type }) => type === 'm.tag')?.content ?? 'null');
      if (isJsonObject(content) && isJsonObject(content['tags']))
        tags.set(roomId, new Set(Object.keys(content['tags'])));
    }
    this.#tags.set(user.userId, { upTo, tags });
    return tags;
  }

  /** "Unknown spaces or spaces the user is not joined to will be ignored. […] Servers MUST NOT navigate subspaces." */
  async #readChildren(user: ActiveUser, spaces: ReadonlySet<string>): Promise<FilterSubjects['children']> {
    const children = new Map<string, ReadonlySet<string>>();
    for (const space of spaces) {
      if (!user.isIn(space as RoomId)) continue; // one that is none is not there
      const rows = await listStateRows(this.views, space as RoomId, 'm.space.child');
      const held = rows.filter((row) => Array.isArray(contentOfRow(row)['via']));
      children.set(space, new Set(held.map(({ header }) => header.stateKey ?? '')));
    }
    return children;
  }
}
