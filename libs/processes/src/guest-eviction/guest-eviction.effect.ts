import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { serverNameOf, type UserId } from '#kernel/ids';
import type { Effect } from '#projections/effects/effect';
import { ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import { VIEWS, type Views } from '#projections/views';
import { currentChangeOf, type PduAccepted, type PduRedacted, roomIdOfStream } from '#rooms/facts/room-facts';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { findStateRow } from '#rooms/queries/state-rows';
import { actForUser } from '../act-for-user.js';
import { leaveForUser } from '../leave-for-user.js';

const STAYS = 'a guest has not left a room that closed to guests';

/** Lets this server's guests leave a room that closes to guests: client-server API, "Guest Access", server behaviour. */
@Injectable()
export class GuestEviction implements Effect {
  readonly name = 'guest-eviction';
  readonly #log = new Logger('processes');

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    return changesGuestAccess(fact) ? roomIdOfStream(fact.stream) : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const roomId = roomIdOfStream(fact.stream);
    const access = await findStateRow(this.views, roomId, 'm.room.guest_access', '');
    if (access !== undefined && contentOfRow(access)['guest_access'] === 'can_join') return false;
    let hasEvicted = false;
    for await (const page of ROOM_MEMBERS.pages(this.views, { prefix: [roomId, 'join'] })) {
      for (const userId of await this.#guestsAmong(page.map(({ key }) => key[2]))) {
        await leaveForUser(this.commands, actForUser(userId, fact, true), roomId, this.#log, STAYS);
        hasEvicted = true;
      }
    }
    return hasEvicted;
  }

  async #guestsAmong(members: readonly UserId[]): Promise<UserId[]> {
    const ours = members.filter((userId) => serverNameOf(userId) === this.config.serverName);
    const rows = await ACCOUNTS.getMany(
      this.views,
      ours.map((userId) => [userId]),
    );
    return ours.filter((_, i) => rows[i]?.guest === true);
  }
}

/**
 * By an event of its own or by the redaction of the one in force, of which nothing remains that lets guests in.
 * PERF: only facts whose text names the event are parsed.
 */
function changesGuestAccess({ type, data }: RecordedFact): boolean {
  if ((type !== 'pdu-accepted' && type !== 'pdu-redacted') || !data.includes('"m.room.guest_access"')) return false;
  if (type === 'pdu-redacted') return (JSON.parse(data) as PduRedacted).pdu['type'] === 'm.room.guest_access';
  const change = currentChangeOf(JSON.parse(data) as PduAccepted);
  return change?.state.some((one) => one.type === 'm.room.guest_access') === true;
}
