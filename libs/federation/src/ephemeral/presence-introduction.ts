import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { readSubscriptionFact, userIdOfSubscriptions } from '#ephemeral/facts/subscription-facts';
import type { RecordedFact } from '#event-store/event-store';
import { isUserId, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { LOGGER, type Logger } from '#observability/logger';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import { contentOf } from '#rooms/facts/pdu-fields';
import { type PduAccepted, roomIdOfStream } from '#rooms/facts/room-facts';
import { ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import { SERVER_LOG } from '#rooms/projections/server-log';
import { ROOM_SERVERS } from '../projections/remote-servers.projector.js';
import { tellUnlessOutage } from '../is-outage.js';
import { mayMoveMembers } from '../sending/known-servers.js';
import { PresenceSender } from './presence-sender.js';

/** So many members of a room are looked at. */
const MOST_MEMBERS = 2_000;

/**
 * Tells servers that come to share a room who of ours is there, those in a room of one of ours who joins, and those of whose users one may
 * follow one of ours by a presence list: of who shared nothing with them they were told nothing, and what goes on as it was is told to nobody.
 */
@Injectable()
export class PresenceIntroduction implements Listener {
  readonly name = 'presence-introduction';
  readonly reads = [ROOM_SERVERS.name, ROOM_MEMBERS.name];

  constructor(
    private readonly sender: PresenceSender,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'scan'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(LOGGER) private readonly logger: Pick<Logger, 'error'>,
  ) {}

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      if (fact.type === 'watcher-accepted') this.#takeFollower(fact);
      if (fact.type !== 'pdu-accepted' || !mayMoveMembers(fact)) continue;
      this.take(fact).catch((error: unknown) => {
        // Where the views are away nobody is told: nothing of it must come.
        tellUnlessOutage(this.logger, error, 'who came to share a room could not be told who is there');
      });
    }
  }

  /** A user of another server may follow one of ours: it hears who they are to follow. */
  #takeFollower(fact: RecordedFact): void {
    const server = serverNameOf(readSubscriptionFact(fact).data.user_id);
    if (server !== this.config.serverName) this.sender.introduceTo(server, [userIdOfSubscriptions(fact.stream)]);
  }

  /** Settles once what is to be told is handed over. */
  async take({ stream, position, data }: RecordedFact): Promise<void> {
    const { pdu } = JSON.parse(data) as PduAccepted; // written by the room's worker
    const userId = pdu['state_key'];
    if (pdu['type'] !== 'm.room.member' || contentOf(pdu)['membership'] !== 'join') return;
    if (typeof userId !== 'string' || !isUserId(userId)) return;
    const [roomId, server] = [roomIdOfStream(stream), serverNameOf(userId)];
    const row = await SERVER_LOG.get(this.views, [roomId, server, position]);
    // There is none where somebody only has another name.
    if (row === undefined) return;
    if (server === this.config.serverName) this.sender.introduce(userId);
    else if (row.joined === 1) this.sender.introduceTo(server, await this.#ours(roomId));
  }

  async #ours(roomId: RoomId): Promise<UserId[]> {
    const members = await ROOM_MEMBERS.scan(this.views, { prefix: [roomId, 'join'], limit: MOST_MEMBERS });
    return members.map(({ key }) => key[2]).filter((userId) => serverNameOf(userId) === this.config.serverName);
  }
}
