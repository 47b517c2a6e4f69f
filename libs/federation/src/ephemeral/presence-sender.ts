import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { DueTimes } from '#ephemeral/presence/due-times';
import { Presence } from '#ephemeral/presence/presence';
import { contentOfPresence } from '#ephemeral/presence/shown-presence';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { LOGGER, type Logger } from '#observability/logger';
import { tellUnlessOutage } from '../is-outage.js';
import { Outbox } from '../sending/outbox.js';
import { Batches } from './batches.js';
import { PresenceAudience } from './presence-audience.js';

export const PRESENCE = 'm.presence';
/** So long a server that was let into a room may take to have it: who is in no room that it has it believes nothing of. */
const JOINS_MS = 1_500;
/** So many users come into one EDU. */
const MOST = 100;
/** Others believe for half an hour that somebody is there: before that is over they are told again. */
const REMIND_MS = 25 * 60_000;
const LOOK_MS = 30_000;

/**
 * Tells other servers who of ours is there, of those who share a room with users of theirs, or let these follow them by a presence list:
 * server-server API, "Presence". Only what became other, and nothing of when somebody did something last alone; who stays is told of again
 * now and then. Nobody is told where presence is off, or of this server alone.
 */
@Injectable()
export class PresenceSender implements OnModuleInit, OnModuleDestroy {
  readonly #batches = new Batches<UserId>(
    (users) => this.#tell(users),
    // Where the views are away nobody is told: nothing of it must come.
    (error) => tellUnlessOutage(this.logger, error, 'other servers could not be told who is there'),
  );
  /** When who is there is to be told of again. */
  readonly #reminders = new DueTimes<UserId>();
  #stop: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly presence: Presence,
    private readonly audience: PresenceAudience,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'presenceElsewhere'>,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    if (!this.config.presenceElsewhere) return;
    this.#stop = this.presence.onChange((userId, change) => {
      if (change === 'forgotten' || !change.ofOthers || !change.wakes) return;
      if (serverNameOf(userId) === this.config.serverName) this.#batches.add(userId, userId);
    });
    this.#timer = setInterval(() => this.remind(), LOOK_MS).unref();
  }

  onModuleDestroy(): void {
    this.#stop?.();
    this.#stop = undefined;
    clearInterval(this.#timer);
    this.#batches.end();
  }

  /** Tells all servers that share a room with a user of ours who they are there: some of them may not have heard yet. */
  introduce(userId: UserId): void {
    if (this.config.presenceElsewhere) this.#batches.add(userId, userId);
  }

  /** Tells a server that comes to a room of users of ours in it, as far as they are there, once it has the room. */
  introduceTo(server: ServerName, users: readonly UserId[]): void {
    if (!this.config.presenceElsewhere) return;
    const tell = (): void => {
      if (this.#stop === undefined) return;
      const updates = users.map((userId) => this.#updateOf(userId)).filter(({ presence }) => presence !== 'offline');
      this.#send(server, updates);
    };
    setTimeout(tell, JOINS_MS).unref();
  }

  /** Tells another server of users of ours whom it asks for, as far as it may hear of them; also of who is not there. */
  async answer(server: ServerName, users: readonly UserId[]): Promise<void> {
    const told: UserId[] = [];
    for (const userId of users) {
      if (serverNameOf(userId) !== this.config.serverName || !(await this.audience.of(userId)).has(server)) continue;
      await this.presence.get(userId); // what is kept of who was not here since the start
      told.push(userId);
    }
    this.#send(
      server,
      told.map((userId) => this.#updateOf(userId)),
    );
  }

  /** Tells again of those of whom nothing became other for long. Called by a timer of its own. */
  remind(): void {
    for (const userId of this.#reminders.take(this.stopwatch.elapsed())) this.#batches.add(userId, userId);
  }

  async #tell(users: readonly UserId[]): Promise<number> {
    const byServer = new Map<ServerName, JsonObject[]>();
    for (const userId of users) {
      const servers = await this.audience.of(userId);
      const update = this.#updateOf(userId);
      const isToldAgain = servers.size > 0 && update['presence'] !== 'offline';
      this.#reminders.set(userId, isToldAgain ? this.stopwatch.elapsed() + REMIND_MS : Infinity);
      for (const server of servers) {
        const own = byServer.get(server) ?? [];
        byServer.set(server, own);
        own.push(update);
      }
    }
    for (const [server, updates] of byServer) this.#send(server, updates);
    return byServer.size;
  }

  #updateOf(userId: UserId): JsonObject {
    const shown = this.presence.find(userId);
    const content = shown === undefined ? { presence: 'offline' } : contentOfPresence(shown, false, 'servers');
    return { user_id: userId, last_active_ago: 0, ...content };
  }

  #send(server: ServerName, updates: readonly JsonObject[]): void {
    for (let at = 0; at < updates.length; at += MOST) {
      this.outbox.sendEdu(server, { edu_type: PRESENCE, content: { push: updates.slice(at, at + MOST) } });
    }
  }
}
