import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Presence } from '#ephemeral/presence/presence';
import { contentOfPresence } from '#ephemeral/presence/shown-presence';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { LOGGER, type Logger } from '#observability/logger';
import { ServersSharing } from '../devices/servers-sharing.js';
import { tellUnlessOutage } from '../is-outage.js';
import { Outbox } from '../sending/outbox.js';
import { Batches } from './batches.js';

export const PRESENCE = 'm.presence';
/** So long a server that was let into a room may take to have it: who is in no room that it has it believes nothing of. */
const JOINS_MS = 1_500;
/** So many users come into one EDU. */
const MOST = 100;

/**
 * Tells other servers who of ours is there, of those who share a room with users of theirs: server-server API, "Presence". Only what
 * became other, and nothing of when somebody did something last alone. Where presence is off nobody is told.
 */
@Injectable()
export class PresenceSender implements OnModuleInit, OnModuleDestroy {
  readonly #batches = new Batches<UserId>(
    (users) => this.#tell(users),
    // Where the views are away nobody is told: nothing of it must come.
    (error) => tellUnlessOutage(this.logger, error, 'other servers could not be told who is there'),
  );
  #stop: (() => void) | undefined;

  constructor(
    private readonly presence: Presence,
    private readonly sharing: ServersSharing,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.#stop = this.presence.onChange((userId, change) => {
      if (change === 'forgotten' || !change.ofOthers || !change.wakes) return;
      if (serverNameOf(userId) === this.config.serverName) this.#batches.add(userId, userId);
    });
  }

  onModuleDestroy(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#batches.end();
  }

  /** Tells all servers that share a room with a user of ours who they are there: some of them may not have heard yet. */
  introduce(userId: UserId): void {
    if (this.presence.isOn) this.#batches.add(userId, userId);
  }

  /** Tells a server that comes to a room of users of ours in it, as far as they are there, once it has the room. */
  introduceTo(server: ServerName, users: readonly UserId[]): void {
    if (!this.presence.isOn) return;
    const tell = (): void => {
      if (this.#stop === undefined) return;
      const updates = users.map((userId) => this.#updateOf(userId)).filter(({ presence }) => presence !== 'offline');
      this.#send(server, updates);
    };
    setTimeout(tell, JOINS_MS).unref();
  }

  async #tell(users: readonly UserId[]): Promise<number> {
    const byServer = new Map<ServerName, JsonObject[]>();
    for (const userId of users) {
      const servers = await this.sharing.of(userId);
      const update = this.#updateOf(userId);
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
    const content = shown === undefined ? { presence: 'offline' } : contentOfPresence(shown, false, 'today');
    return { user_id: userId, last_active_ago: 0, ...content };
  }

  #send(server: ServerName, updates: readonly JsonObject[]): void {
    for (let at = 0; at < updates.length; at += MOST) {
      this.outbox.sendEdu(server, { edu_type: PRESENCE, content: { push: updates.slice(at, at + MOST) } });
    }
  }
}
