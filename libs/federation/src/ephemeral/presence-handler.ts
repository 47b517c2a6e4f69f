import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Subscribers } from '#ephemeral/lists/subscribers';
import { EXACT_STATE, isWord, readState } from '#ephemeral/presence/availability';
import { DEVICE_TYPE } from '#ephemeral/presence/shown-presence';
import { RemotePresence, type ToldPresence } from '#ephemeral/presence/remote-presence';
import { isUserId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import type { GatheringEduHandler } from '../edus/edu-handlers.js';
import { PRESENCE, PresenceSender } from './presence-sender.js';

/** So many users of one transaction are looked at, the last. */
const MOST = 2_000;
const MOST_STATUS = 512;
/** So many users of ours another server may ask for in a transaction. */
const MOST_POLLED = 500;

/** `m.presence`: who is there of the users of another server, and whom of ours it wants to hear of. */
@Injectable()
export class PresenceHandler implements GatheringEduHandler {
  readonly type = PRESENCE;

  constructor(
    private readonly remote: RemotePresence,
    private readonly subscribers: Subscribers,
    private readonly sender: PresenceSender,
    @Inject(VIEWS) private readonly views: Pick<Views, 'scan'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'presenceElsewhere'>,
  ) {}

  /**
   * Of each user the last counts. What is told of users of a third server, and of who is in no room that is here and followed by nobody, is let
   * be; all of it where presence is off, or of this server alone.
   */
  async receiveAll(origin: ServerName, contents: readonly JsonObject[]): Promise<void> {
    if (!this.config.presenceElsewhere) return;
    const told = new Map<UserId, ToldPresence>();
    const turn = new Turn();
    for (const update of contents.flatMap(({ push }): readonly JsonValue[] => (Array.isArray(push) ? push : []))) {
      if (turn.isOver()) await turn.pass();
      const read = readUpdate(update);
      if (read === undefined || serverNameOf(read.userId) !== origin) continue;
      told.delete(read.userId); // put behind the others: the last are looked at
      told.set(read.userId, read.presence);
    }
    for (const [userId, presence] of [...told].slice(-MOST)) {
      if (turn.isOver()) await turn.pass();
      if (await this.#isOfInterest(userId)) this.remote.take(userId, presence);
    }
    await this.sender.answer(origin, polledIn(contents).slice(-MOST_POLLED));
  }

  async #isOfInterest(userId: UserId): Promise<boolean> {
    return (await this.subscribers.of(userId)).here.size > 0 || this.#isInSomeRoom(userId);
  }

  async #isInSomeRoom(userId: UserId): Promise<boolean> {
    for await (const rooms of USER_ROOMS.pages(this.views, { prefix: [userId] })) {
      if (rooms.some(({ value }) => value.membership === 'join')) return true;
    }
    return false;
  }
}

/** Whom another server asks for: server-server API of 2015, "Presence", `poll`. */
function polledIn(contents: readonly JsonObject[]): UserId[] {
  const polled = contents.flatMap(({ poll }): readonly JsonValue[] => (Array.isArray(poll) ? poll : []));
  return [...new Set(polled.filter((userId): userId is UserId => typeof userId === 'string' && isUserId(userId)))];
}

function readUpdate(update: JsonValue): { readonly userId: UserId; readonly presence: ToldPresence } | undefined {
  if (!isJsonObject(update)) return undefined;
  const { user_id: userId, presence, last_active_ago: ago, status_msg: status } = update;
  const said = readState(presence, update[EXACT_STATE]);
  if (typeof userId !== 'string' || !isUserId(userId) || said === undefined) return undefined;
  // Who hides does so at home: to others they are offline.
  const state = said.state === 'hidden' ? 'offline' : said.state;
  const deviceType = update[DEVICE_TYPE];
  return {
    userId,
    presence: {
      state,
      word: said.word,
      deviceType: isWord(deviceType) && state !== 'offline' ? deviceType : undefined,
      currentlyActive: update['currently_active'] === true,
      statusMsg: typeof status === 'string' && status !== '' ? status.slice(0, MOST_STATUS).toWellFormed() : undefined,
      lastActiveAgo: Number.isSafeInteger(ago) && Number(ago) >= 0 ? Number(ago) : undefined,
    },
  };
}
