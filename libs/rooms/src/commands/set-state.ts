import { Inject } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { ALIAS_BOOK, type AliasBook } from '../alias-book.js';
import { refuseWhilePartial } from '../decide/refuse-while-partial.js';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { whenWhole } from '../queries/partial-rooms.js';
import { MEMBER } from '../queries/state-rows.js';
import { isServerIn } from '../reading/server-standing.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkAliases } from './check-aliases.js';
import { checkMayReject } from './check-may-reject.js';
import { findRelationRefusal } from './check-relation.js';
import { checkDeletesSomething, checkIsThere, checkState, checkStateKey, type StateDraft } from './check-state.js';
import { checkGuestMayJoin } from './guest-access.js';
import { InvitationsElsewhere } from './invite-elsewhere.js';
import { authorisedJoin } from './join-authoriser.js';
import { JoinRoom } from './join-room.js';
import { KnockRoom } from './knock-room.js';
import { LeaveRoom } from './leave-room.js';
import { refuseStateOfSuspended } from './refuse-state-of-suspended.js';
import type { SendOptions } from './send-event.js';
import { type EventSent, findTransaction, sendOnce } from './transaction.js';

/**
 * Sets a key of the state dictionary: client-server API, "Sending events to a room". Setting what its sender has set
 * already, and may still set, answers the event of then, unless it is to be sticky. Who says something of themself in a room that nobody
 * of this server is in does as `JoinRoom`, `KnockRoom` and `LeaveRoom` would, and it is thrown as there; who declines an invitation so as `checkMayReject`. Throws M_FORBIDDEN, M_USER_SUSPENDED, M_TOO_LARGE, M_BAD_JSON, M_INVALID_PARAM,
 * M_INVITE_BLOCKED, M_BAD_ALIAS, M_BAD_STATE (there is one m.room.create), M_UNKNOWN (a thread cannot begin where it says), M_NOT_FOUND (they left what they were in by no event, or it deletes
 * what is not there, see `DeleteState`), RoomIsPartial where all of the room is needed and does not come in time.
 */
export class SetState {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly type: string,
    readonly stateKey: string,
    readonly content: JsonObject,
    /** As of `SendEvent`; clients have no transactions for state, but what was to be sent later has. */
    readonly options: SendOptions & { readonly txnId?: string } = {},
  ) {}
}

@CommandHandler(SetState)
export class SetStateHandler implements ICommandHandler<SetState> {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly invitations: InvitationsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'notices'>,
    private readonly commands: CommandBus,
  ) {}

  async execute(command: SetState): Promise<EventSent> {
    const { requester, roomId, type, stateKey, content } = command;
    checkStateKey(type, stateKey);
    await refuseStateOfSuspended(this.views, this.config.notices, command);
    const isOwn = type === MEMBER && stateKey === requester.userId;
    const own = isOwn ? ownMembershipOf(requester, roomId, content) : undefined;
    if (own instanceof LeaveRoom) await checkMayReject(this.views, this.config.notices, requester.userId, roomId);
    // What is known here of a room that all of ours have left is of the past.
    if (own !== undefined && !(await isServerIn(this.views, roomId, this.config.serverName))) return this.#setOwn(own);
    return whenWhole(this.views, roomId, () => this.#set(command));
  }

  async #set({ requester, roomId, type, stateKey, content, options }: SetState): Promise<EventSent> {
    const { txnId, ...said } = options;
    const { userId: sender } = requester;
    const { serverName: ours } = this.config;
    const { permissions } = this.invitations;
    const isMember = type === MEMBER;
    const isInvite = isMember && content['membership'] === 'invite';
    if (isInvite && this.invitations.isElsewhere(stateKey as UserId)) {
      return {
        eventId: await this.invitations.invite(roomId, sender, stateKey as UserId, content, contextOf(requester)),
      };
    }
    const transaction = await findTransaction(this.views, { requester, roomId, type, txnId });
    if (transaction?.answered !== undefined) return { eventId: transaction.answered };
    // An annotation that is state takes the place of the one before it: of these there are no duplicates.
    const refusal = await findRelationRefusal(this.views, roomId, sender, content, undefined);
    const set = async (turn: RoomTurn): Promise<EventSent> => {
      if (isMember) refuseWhilePartial(turn.head, { type, stateKey, sender, content });
      const current = await turn.findState(type, stateKey);
      const isJoin = isMember && stateKey === sender && content['membership'] === 'join';
      const draft = {
        type,
        stateKey,
        sender,
        ...said,
        txn: transaction?.txn,
        content: isJoin ? (await authorisedJoin(turn, this.views, sender, content, ours)).content : content,
      };
      await checkState(turn, draft);
      const isHeld = isInvite && (await permissions.check(sender, stateKey as UserId, content));
      checkDeletesSomething(turn, draft);
      const isAsBefore = current?.sender === sender && said.stickyMs === undefined;
      if (isAsBefore && sameContent(turn, current.content, draft.content)) return current;
      if (refusal !== undefined) throw refusal;
      if (isMember) await checkMembership(turn, requester, draft, current?.content['membership']);
      if (type === 'm.room.canonical_alias') {
        await checkAliases(this.aliases, turn.roomId, current?.content ?? {}, draft.content);
      }
      if (isHeld) await permissions.hold(roomId, sender, stateKey as UserId);
      return turn.send(draft);
    };
    const { result, position } = await this.workers.run(roomId, contextOf(requester), (turn) =>
      sendOnce(turn, transaction, () => set(turn)),
    );
    if (position !== undefined) await this.views.whenProcessed(position, [ROOM_STATE.name, TIMELINE.name]);
    return { eventId: result };
  }

  async #setOwn(command: OwnMembership): Promise<EventSent> {
    await this.commands.execute(command);
    const row = await USER_ROOMS.get(this.views, [command.requester.userId, command.roomId]);
    // They are out, where another server had never let them in.
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no event by which you were in the room');
    return { eventId: row.event_id };
  }
}

type OwnMembership = JoinRoom | KnockRoom | LeaveRoom;

/** What makes of a user what they say of themself; undefined where nobody may say that of themself. */
function ownMembershipOf(requester: Requester, roomId: RoomId, content: JsonObject): OwnMembership | undefined {
  const { membership, reason: said } = content;
  const reason = typeof said === 'string' ? said : undefined;
  if (membership === 'join') return new JoinRoom(requester, roomId, content);
  if (membership === 'knock') return new KnockRoom(requester, roomId, reason);
  return membership === 'leave' ? new LeaveRoom(requester, roomId, reason) : undefined;
}

/** Memberships set here are what the doors for them would make of them. */
async function checkMembership(
  turn: RoomTurn,
  requester: Requester,
  { stateKey, content }: StateDraft,
  before: unknown,
): Promise<void> {
  if (content['membership'] === 'join' && before !== 'join') await checkGuestMayJoin(turn, requester);
  if (content['membership'] === 'leave' && stateKey !== requester.userId) checkIsThere(before);
}

function sameContent(turn: RoomTurn, before: JsonObject, after: JsonObject): boolean {
  const lenient = !turn.head.version.strictCanonicalJson;
  return canonicalJson(before, { lenient }) === canonicalJson(after, { lenient });
}
