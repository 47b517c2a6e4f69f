import { Inject, Injectable, Optional } from '@nestjs/common';
import { type EventId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused } from '#kernel/peer-errors';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent, StateKey } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { HANDSHAKES } from '../projections/handshakes.projector.js';
import { refuseWhilePartial } from '../decide/refuse-while-partial.js';
import { POTENTIAL_MEMBERS_STATE } from '../facts/potential-members-state.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { REMOTE_ROOMS, type RemoteRooms } from '../remote-rooms.js';
import { acceptOwn } from '../worker/accept-own.js';
import type { FactContext, RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import type { OpenHandshake } from './handshakes.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';
import { isOutage } from './stays-elsewhere.js';
import { InvitePermissions } from './invite-permissions.js';
import { checkIsIn, checkState, type StateDraft } from './check-state.js';

const TOLD: readonly StateKey[] = POTENTIAL_MEMBERS_STATE.map((type) => ({ type, stateKey: '' }));

/** The views that show it. */
const SHOWN: readonly string[] = [ROOM_STATE.name, TIMELINE.name, HANDSHAKES.name];

/** An invitation that was decided and is not in the room yet. */
interface DecidedInvite {
  readonly event: RoomEvent;
  readonly version: RoomVersion;
}

/** Invitations of users of other servers, which these are asked to sign before they are part of the room. */
@Injectable()
export class InvitationsElsewhere {
  constructor(
    private readonly workers: RoomWorkers,
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
    /** Of users of this server. */
    @Inject(InvitePermissions) readonly permissions: Pick<InvitePermissions, 'check' | 'hold' | 'demand'>,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  isElsewhere(userId: UserId): boolean {
    return serverNameOf(userId) !== this.author.serverName;
  }

  /**
   * Invites a user of another server: server-server API, "Inviting to a room". `content`: of the member event; `wasOffered`: as
   * `checkState`. Who is invited already by such an event stays so. Throws M_FORBIDDEN, what the other server says against it, M_BAD_JSON and M_UNKNOWN for
   * an answer that is not the invitation, signed.
   */
  async invite(
    roomId: RoomId,
    sender: UserId,
    target: UserId,
    content: JsonObject,
    context: FactContext,
    wasOffered = false,
  ): Promise<EventId> {
    if (this.others === undefined) throw new MatrixError('M_FORBIDDEN', 'This server speaks to no other servers');
    const { handshakes } = this.elsewhere;
    const invite = async (): Promise<EventId> => {
      const { result: decided } = await this.workers.run(roomId, context, (turn) =>
        decideInvite(turn, { type: 'm.room.member', stateKey: target, sender, content }, wasOffered),
      );
      if (typeof decided === 'string') return decided;
      const { event, version } = decided;
      const { eventId, pdu } = event;
      const given = { membership: 'invite', eventId, version, pdu, server: serverNameOf(target) } as const;
      await handshakes.begin(sender, roomId, given, context);
      await this.#give(roomId, sender, given, context);
      return eventId;
    };
    return handshakes.inTurn(sender, roomId, invite, target);
  }

  /** As `SettleHandshake`: of an invitation, which the other server may show to whom it is for while the room does not have it. */
  settle(roomId: RoomId, { eventId, pdu }: OpenHandshake, context: FactContext): Promise<boolean> {
    const { handshakes } = this.elsewhere;
    const [sender, target] = [pdu['sender'], pdu['state_key']] as [UserId, UserId]; // of an event of this server's own
    const finish = async (): Promise<boolean> => {
      const open = await handshakes.find(sender, roomId, eventId);
      if (open === undefined) return false;
      try {
        await this.#give(roomId, sender, open, context);
      } catch (error) {
        if (!(error instanceof MatrixError || error instanceof PeerRefused) || isOutage(error)) throw error;
      }
      return true;
    };
    return handshakes.inTurn(sender, roomId, finish, target);
  }

  /** Has the other server sign it, and takes it into the room. Where that refuses it, or the room does, it is over. */
  async #give(roomId: RoomId, sender: UserId, open: OpenHandshake, context: FactContext): Promise<void> {
    try {
      await this.#take(roomId, sender, open, context);
    } catch (error) {
      if (error instanceof MatrixError || error instanceof PeerRefused)
        await this.elsewhere.handshakes.end(sender, roomId, open.eventId, context);
      throw error;
    }
  }

  async #take(
    roomId: RoomId,
    sender: UserId,
    { server, version, eventId, pdu }: OpenHandshake,
    context: FactContext,
  ): Promise<void> {
    const keys = [...TOLD, { type: 'm.room.member', stateKey: sender }];
    const { result: told } = await this.workers.run(roomId, context, (turn) => turn.findStates(keys));
    const roomState = told.map((event) => event.pdu);
    const signed = await this.others!.invite(server, { roomId, version, eventId, pdu, roomState });
    const taken = withSignatureOf(server, parseRoomEvent(pdu, version, roomId), signed, version);
    const pduText = canonicalJson(taken, { lenient: !version.strictCanonicalJson });
    const { position } = await this.workers.run(roomId, context, (turn) =>
      acceptOwn(turn, { event: parseRoomEvent(taken, version, roomId), pduText }, this.author.serverName),
    );
    if (position !== undefined) await this.views.whenProcessed(position, SHOWN);
  }
}

/** The event as it would be sent now; the id of that which says the same already. */
async function decideInvite(turn: RoomTurn, draft: StateDraft, wasOffered: boolean): Promise<DecidedInvite | EventId> {
  const { sender, content } = draft;
  if (!wasOffered) await checkIsIn(turn, sender);
  const { version } = turn.head;
  refuseWhilePartial(turn.head, draft);
  await checkState(turn, draft, wasOffered);
  const before = await turn.findState(draft.type, draft.stateKey);
  const options = { lenient: !version.strictCanonicalJson };
  const isSame =
    before?.sender === sender && canonicalJson(before.content, options) === canonicalJson(content, options);
  if (isSame) return before.eventId;
  return { event: turn.offer(await turn.decide(draft)), version };
}

/**
 * Of what the other server answers nothing counts but its signature. Throws M_BAD_JSON where that is no event, and M_UNKNOWN, status 502,
 * where it is another one, or is not signed: "All other fields of the events should remain untouched".
 */
function withSignatureOf(
  server: ServerName,
  { eventId, roomId, pdu }: RoomEvent,
  copy: JsonObject,
  version: RoomVersion,
): JsonObject {
  if (parseRoomEvent(copy, version, roomId).eventId !== eventId) {
    throw new MatrixError('M_UNKNOWN', `${server} signed another event than the invitation`, { status: 502 });
  }
  const given = isJsonObject(copy['signatures']) ? copy['signatures'][server] : undefined;
  if (!isJsonObject(given) || !isJsonObject(pdu['signatures'])) {
    throw new MatrixError('M_UNKNOWN', `${server} did not sign the invitation`, { status: 502 });
  }
  return { ...pdu, signatures: { ...pdu['signatures'], [server]: given } };
}
