import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Presence } from '#ephemeral/presence/presence';
import { contentOfPresence } from '#ephemeral/presence/shown-presence';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { ServersSharing } from '../devices/servers-sharing.js';
import { Outbox } from '../sending/outbox.js';
import { Batches } from './batches.js';

export const PRESENCE = 'm.presence';
/** So many users come into one EDU. */
const MOST = 100;

/**
 * Tells other servers who of ours is there, of those who share a room with users of theirs: server-server API, "Presence". Only what
 * became other, and nothing of when somebody did something last alone. Where presence is off nobody is told.
 */
@Injectable()
export class PresenceSender implements OnModuleInit, OnModuleDestroy {
  readonly #batches = new Batches<UserId>((users) => this.#tell(users));
  #stop: (() => void) | undefined;

  constructor(
    private readonly presence: Presence,
    private readonly sharing: ServersSharing,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  onModuleInit(): void {
    this.#stop = this.presence.onChange((userId, change) => {
      if (change === 'forgotten' || !change.ofOthers || !change.wakes) return;
      if (serverNameOf(userId) === this.config.serverName) this.#batches.add(userId, userId);
    });
  }

  onModuleDestroy(): void {
    this.#stop?.();
    this.#batches.end();
  }

  async #tell(users: readonly UserId[]): Promise<number> {
    const byServer = new Map<ServerName, JsonObject[]>();
    for (const userId of users) {
      const servers = await this.sharing.of(userId);
      const shown = this.presence.find(userId);
      const content = shown === undefined ? { presence: 'offline' } : contentOfPresence(shown, false, 'today');
      const update = { user_id: userId, last_active_ago: 0, ...content };
      for (const server of servers) {
        const own = byServer.get(server) ?? [];
        byServer.set(server, own);
        own.push(update);
      }
    }
    for (const [server, updates] of byServer) {
      for (let at = 0; at < updates.length; at += MOST) {
        this.outbox.sendEdu(server, { edu_type: PRESENCE, content: { push: updates.slice(at, at + MOST) } });
      }
    }
    return byServer.size;
  }
}
