import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type RoomAlias, type RoomId, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { keepCanonical } from '#protocol/canonical-json/keep-canonical';
import { ALIAS_BOOK, type AliasBook } from '../alias-book.js';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { restrictedLevels } from '../decide/upgraded-room.js';
import type { RoomListed } from '../facts/room-facts.js';
import { contextOf } from '../worker/requester-context.js';
import { type RoomTask, RoomWorkers } from '../worker/room-workers.js';
import { isSameAlias } from './drop-canonical-alias.js';

const CANONICAL_ALIAS = 'm.room.canonical_alias';

/**
 * Does what is left of an upgrade once the old room has its tombstone: client-server API, "Room Upgrades", server behaviour,
 * steps 5 and 6. State that the upgrader may not set is left out. Done again after it was ended on the way, it does what is
 * missing; what was changed in the old room since is not touched: where its tombstone names another room now, or none, nothing
 * moves. Of a room that another server upgraded the aliases of this server move, and its place in the directory here, and no more.
 */
export class CompleteUpgrade {
  constructor(
    /** Who upgraded the room, or, where that is somebody of another server, a user here who followed. */
    readonly requester: Requester,
    readonly from: RoomId,
    readonly to: RoomId,
  ) {}
}

@CommandHandler(CompleteUpgrade)
export class CompleteUpgradeHandler implements ICommandHandler<CompleteUpgrade> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(EVENT_AUTHOR) private readonly author: Pick<EventAuthor, 'serverName'>,
  ) {}

  async execute({ requester, from, to }: CompleteUpgrade): Promise<void> {
    const tombstone = await this.#run(requester, from, (turn) => turn.findState('m.room.tombstone'));
    if (tombstone?.content['replacement_room'] !== to) return;
    // Where another server upgraded the room it has seen to what the two rooms say.
    const isOurs = serverNameOf(tombstone.sender) === this.author.serverName;
    const aliases = await this.aliases.listOf(from);
    // The aliases later: as long as one of them points to the old room, the canonical alias can be moved.
    if (isOurs) await this.#moveCanonicalAlias(requester, { from, to, aliases });
    for (const alias of aliases) await this.aliases.move(alias, from, to, requester);
    await this.#moveListing(requester, from, to);
    if (isOurs) await this.#silence(requester, from);
  }

  async #moveCanonicalAlias(
    requester: Requester,
    { from, to, aliases }: { readonly from: RoomId; readonly to: RoomId; readonly aliases: readonly RoomAlias[] },
  ): Promise<void> {
    const sender = requester.userId;
    const canonical = await this.#run(requester, from, (turn) => turn.findState(CANONICAL_ALIAS));
    if (canonical !== undefined && aliases.some((alias) => isSameAlias(canonical.content['alias'], alias))) {
      const content = keepCanonical(canonical.content);
      await this.#send(requester, to, async (turn) => {
        if ((await turn.findState(CANONICAL_ALIAS)) !== undefined) return;
        await turn.send({ type: CANONICAL_ALIAS, stateKey: '', sender, content });
      });
      await this.#send(requester, from, async (turn) => {
        if ((await turn.findState(CANONICAL_ALIAS))?.eventId !== canonical.eventId) return;
        await turn.send({ type: CANONICAL_ALIAS, stateKey: '', sender, content: {} });
      });
    }
  }

  /** NOTSPEC: people look for the room in the public directory, and are to find the new one. */
  async #moveListing(requester: Requester, from: RoomId, to: RoomId): Promise<void> {
    const [isListed, hasMoved] = (await this.views.getMany('public-rooms', [[from], [to]])).map(
      (row) => row !== undefined,
    );
    if (!isListed) return;
    // The new one first: ended between the two, it would be known of none of them that it was listed.
    if (!hasMoved) await this.#list(requester, to, true);
    await this.#list(requester, from, false);
  }

  async #list(requester: Requester, roomId: RoomId, listed: boolean): Promise<void> {
    await this.#run(requester, roomId, async (turn) => {
      turn.append('room-listed', { listed, by: requester.userId } satisfies RoomListed);
    });
  }

  /** Only those who may change power levels can do this last step; without it the tombstone alone says what happened. */
  async #silence(requester: Requester, roomId: RoomId): Promise<void> {
    await this.#send(requester, roomId, async (turn) => {
      const levels = await turn.findState('m.room.power_levels');
      const tombstone = await turn.findState('m.room.tombstone');
      // They were set since: by this very step, or by somebody who wants to talk on there.
      if (levels !== undefined && tombstone !== undefined && levels.depth > tombstone.depth) return;
      const content = restrictedLevels(levels?.content ?? {});
      if (content === undefined) return;
      const draft = { type: 'm.room.power_levels', stateKey: '', sender: requester.userId, content };
      await turn.send(draft);
    });
  }

  /** What a user who may upgrade the room need not be allowed to send: it is replaced all the same. Throws what may pass, as where its policy server does not answer. */
  async #send(requester: Requester, roomId: RoomId, task: RoomTask<void>): Promise<void> {
    try {
      await this.#run(requester, roomId, task);
    } catch (error) {
      if (!(error instanceof MatrixError) || mayPass(error)) throw error;
    }
  }

  async #run<T>(requester: Requester, roomId: RoomId, task: RoomTask<T>): Promise<T> {
    const { result, position } = await this.workers.run(roomId, contextOf(requester), task);
    if (position !== undefined) await this.views.whenProcessed(position);
    return result;
  }
}
