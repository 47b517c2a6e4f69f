import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { MEMBERS, ROOM_COUNTS, ROOM_MEMBERS } from '../projections/membership.projector.js';

/** One of ours who was joined when last looked for; where there was nobody, the change of members up to which that is known. */
type Found = { readonly userId: UserId } | { readonly nobodyUpTo: Position | undefined };

const CAPACITY = 10_000;

/** Whether this server takes part in a room: whether any of its users is joined to it. */
@Injectable()
export class OwnMembers {
  readonly #found = new LruCache<RoomId, Found>(CAPACITY);

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#found.numbers;
  }

  /** As of the views. PERF: a room's members are gone through once, and again where the one that was found has left. */
  async hasAny(roomId: RoomId): Promise<boolean> {
    const found = this.#found.get(roomId);
    if (found !== undefined && 'userId' in found) {
      if ((await MEMBERS.get(this.views, [roomId, found.userId]))?.membership === 'join') return true;
    }
    const upTo = (await ROOM_COUNTS.get(this.views, [roomId]))?.pos;
    if (found !== undefined && 'nobodyUpTo' in found && found.nobodyUpTo === upTo) return false;
    const userId = await this.#findOne(roomId);
    this.#found.set(roomId, userId === undefined ? { nobodyUpTo: upTo } : { userId });
    return userId !== undefined;
  }

  async #findOne(roomId: RoomId): Promise<UserId | undefined> {
    for await (const rows of ROOM_MEMBERS.pages(this.views, { prefix: [roomId, 'join'] })) {
      const own = rows.find(({ key }) => serverNameOf(key[2]) === this.config.serverName);
      if (own !== undefined) return own.key[2];
    }
    return undefined;
  }
}
