import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { type DeviceId, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Requester } from '#kernel/requester';
import type { Listener } from '#projections/listener';
import { scanPages } from '#projections/scan-pages';
import { VIEWS, type Views } from '#projections/views';
import { LeaveRoom } from '#rooms/commands/leave-room';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { findStateRow } from '#rooms/queries/event-rows';
import type { AccountRow } from '../projections/accounts.projector.js';

/** Lets this server's guests leave a room that closes to guests: client-server API, "Guest Access", server behaviour. */
@Injectable()
export class GuestEviction implements Listener {
  readonly name = 'guest-eviction';
  readonly #turns = new KeyedQueue<RoomId>();
  readonly #log = new Logger('accounts');

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      if (!changesGuestAccess(fact)) continue;
      const roomId = roomIdOfStream(fact.stream);
      this.#turns
        .run(roomId, () => this.#evict(roomId, fact))
        .catch((error: unknown) => {
          this.#log.error({ err: error, roomId }, 'guests are still in a room that has closed to them');
        });
    }
  }

  async #evict(roomId: RoomId, fact: RecordedFact): Promise<void> {
    await this.views.whenProcessed(fact.position);
    const access = await findStateRow(this.views, roomId, 'm.room.guest_access', '');
    const content = access === undefined ? {} : ((JSON.parse(access.json) as JsonObject)['content'] as JsonObject);
    if (content['guest_access'] === 'can_join') return;
    for await (const page of scanPages(this.views, 'room-members', { prefix: [roomId, 'join'] })) {
      for (const userId of await this.#guestsAmong(page.map(({ key }) => key[2] as UserId))) {
        await this.#leave(userId, roomId, fact.metadata.correlation ?? fact.id);
      }
    }
  }

  /** One guest who cannot leave must not keep the others in. */
  async #leave(userId: UserId, roomId: RoomId, requestId: string): Promise<void> {
    // What the server does for the guest is done on no device.
    const guest: Requester = { userId, deviceId: '' as DeviceId, isAdmin: false, isGuest: true, requestId };
    try {
      await this.commands.execute(new LeaveRoom(guest, roomId));
    } catch (error) {
      this.#log.warn({ err: error, userId, roomId }, 'a guest has not left a room that closed to guests');
    }
  }

  async #guestsAmong(members: readonly UserId[]): Promise<UserId[]> {
    const ours = members.filter((userId) => serverNameOf(userId) === this.config.serverName);
    const rows = await this.views.getMany(
      'accounts',
      ours.map((userId) => [userId]),
    );
    return ours.filter((_, i) => rows[i] !== undefined && (JSON.parse(rows[i]) as AccountRow).guest === true);
  }
}

/** PERF: only facts whose text names the event are parsed. */
function changesGuestAccess(fact: RecordedFact): boolean {
  if (fact.type !== 'pdu-accepted' || !fact.data.includes('"m.room.guest_access"')) return false;
  const { state } = JSON.parse(fact.data) as { readonly state: readonly { readonly type: string }[] };
  return state.some(({ type }) => type === 'm.room.guest_access');
}
