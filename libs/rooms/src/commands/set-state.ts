import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { isRoomAlias, isUserId, type RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { ALIAS_BOOK, type AliasBook } from '../alias-book.js';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkGuestMayJoin } from './guest-access.js';
import { checkIsLocal } from './invite-user.js';
import { authorisedJoin } from './join-authoriser.js';
import type { EventSent } from './transaction.js';

/**
 * Sets a key of the state dictionary: client-server API, "Sending events to a room". Setting what its sender has set
 * already answers the event of then. Throws M_FORBIDDEN, M_TOO_LARGE, M_BAD_JSON, M_BAD_ALIAS, M_NOT_FOUND.
 */
export class SetState {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly type: string,
    readonly stateKey: string,
    readonly content: JsonObject,
  ) {}
}

@CommandHandler(SetState)
export class SetStateHandler implements ICommandHandler<SetState> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute({ requester, roomId, type, stateKey, content }: SetState): Promise<EventSent> {
    const { result, position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      const sender = requester.userId;
      const current = await turn.findState(type, stateKey);
      const set = type === 'm.room.member' ? await this.#memberContent(turn, requester, stateKey, content) : content;
      if (current?.sender === sender && sameContent(turn, current.content, set)) return current.eventId;
      if (type === 'm.room.canonical_alias') await this.#checkAliases(turn, current?.content ?? {}, set);
      return (await turn.send({ type, stateKey, sender, content: set })).eventId;
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return { eventId: result };
  }

  /** Memberships set here are what the doors for them would make of them. */
  async #memberContent(turn: RoomTurn, requester: Requester, target: string, content: JsonObject): Promise<JsonObject> {
    const { userId } = requester;
    if (content['membership'] === 'invite' && isUserId(target)) checkIsLocal(target, this.author.serverName);
    if (content['membership'] !== 'join' || target !== userId) return content;
    if ((await turn.findMembership(userId)) !== 'join') await checkGuestMayJoin(turn, requester);
    return authorisedJoin(turn, this.views, userId, content);
  }

  /** Aliases that the event adds must be well-formed and point to this room: modules/room_aliases, "m.room.canonical_alias". */
  async #checkAliases(turn: RoomTurn, before: JsonObject, after: JsonObject): Promise<void> {
    const { alt_aliases: others } = after;
    if (others !== undefined && others !== null && !Array.isArray(others)) {
      throw new MatrixError('M_BAD_JSON', 'alt_aliases is not a list');
    }
    const known = new Set(aliasesIn(before));
    for (const alias of aliasesIn(after)) {
      if (known.has(alias)) continue;
      if (typeof alias !== 'string' || !isRoomAlias(alias)) {
        throw new MatrixError('M_INVALID_PARAM', `Not a room alias: ${String(alias)}`);
      }
      if ((await this.aliases.resolve(alias)) !== turn.roomId) {
        throw new MatrixError('M_BAD_ALIAS', `${alias} does not point to this room`);
      }
    }
  }
}

function aliasesIn(content: JsonObject): unknown[] {
  const { alias, alt_aliases: others } = content;
  const listed = Array.isArray(others) ? others : [];
  return [...(alias === undefined || alias === null || alias === '' ? [] : [alias]), ...listed];
}

function sameContent(turn: RoomTurn, before: JsonObject, after: JsonObject): boolean {
  const lenient = !turn.head.version.strictCanonicalJson;
  return canonicalJson(before, { lenient }) === canonicalJson(after, { lenient });
}
