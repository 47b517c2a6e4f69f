import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Typing } from '#ephemeral/typing/typing';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { LOGGER, type Logger } from '#observability/logger';
import { tellUnlessOutage } from '../is-outage.js';
import { Outbox } from '../sending/outbox.js';
import { ServersInRooms } from '../sending/servers-in-rooms.js';

export const TYPING = 'm.typing';
/** Who goes on typing is told of again so often: others forget it a while after that. */
const AGAIN_MS = 40_000;
const CAPACITY = 10_000;

/** Tells the other servers in a room who of ours types there: server-server API, "Typing Notifications". */
@Injectable()
export class TypingSender implements OnModuleInit, OnModuleDestroy {
  /** When somebody was last told to be typing, by the stopwatch. */
  readonly #told = new LruCache<string, number>(CAPACITY);
  #stop: (() => void) | undefined;

  constructor(
    private readonly typing: Typing,
    private readonly servers: ServersInRooms,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#told.numbers;
  }

  onModuleInit(): void {
    this.#stop = this.typing.onTypist((roomId, userId, types) => {
      if (serverNameOf(userId) === this.config.serverName) this.#take(roomId, userId, types);
    });
  }

  onModuleDestroy(): void {
    this.#stop?.();
  }

  #take(roomId: RoomId, userId: UserId, types: boolean): void {
    const key = `${TYPING} ${roomId} ${userId}`;
    const told = this.#told.get(key);
    const now = this.stopwatch.elapsed();
    if (types && told !== undefined && now - told < AGAIN_MS) return;
    if (types) this.#told.set(key, now);
    else this.#told.delete(key);
    const edu = { edu_type: TYPING, content: { room_id: roomId, user_id: userId, typing: types } };
    this.servers.of(roomId).then(
      (servers) => this.outbox.sendEdu(servers, edu, { replaces: key }),
      // Where the views are away nobody hears who types.
      (error: unknown) => tellUnlessOutage(this.logger, error, 'other servers could not be told who types'),
    );
  }
}
