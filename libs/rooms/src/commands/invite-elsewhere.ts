import { Inject, Injectable, Optional } from '@nestjs/common';
import { type EventId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent, StateKey } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { POTENTIAL_MEMBERS_STATE } from '../facts/potential-members-state.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { REMOTE_ROOMS, type RemoteRooms } from '../remote-rooms.js';
import { acceptOwn } from '../worker/accept-own.js';
import type { FactContext, RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkIsIn, checkState } from './check-state.js';

const TOLD: readonly StateKey[] = POTENTIAL_MEMBERS_STATE.map((type) => ({ type, stateKey: '' }));

/** An invitation that was decided and is not in the room yet. */
interface DecidedInvite {
  readonly event: RoomEvent;
  readonly version: RoomVersion;
  readonly roomState: readonly JsonObject[];
}

/** Invitations of users of other servers, which these are asked to sign before they are part of the room. */
@Injectable()
export class InvitationsElsewhere {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  isElsewhere(userId: UserId): boolean {
    return serverNameOf(userId) !== this.author.serverName;
  }

  /**
   * Invites a user of another server: server-server API, "Inviting to a room". `content`: of the member event. Who is invited already by
   * such an event stays so. Throws M_FORBIDDEN, what the other server says against it, M_BAD_JSON and M_UNKNOWN for
   * an answer that is not the invitation, signed.
   */
  async invite(
    roomId: RoomId,
    sender: UserId,
    target: UserId,
    content: JsonObject,
    context: FactContext,
  ): Promise<EventId> {
    const { others } = this;
    if (others === undefined) throw new MatrixError('M_FORBIDDEN', 'This server speaks to no other servers');
    const { result: decided } = await this.workers.run(roomId, context, (turn) =>
      decideInvite(turn, sender, target, content),
    );
    if (typeof decided === 'string') return decided;
    const { event, version, roomState } = decided;
    const server = serverNameOf(target);
    const { eventId, pdu } = event;
    const signed = await others.invite(server, { roomId, version, eventId, pdu, roomState });
    const taken = withSignatureOf(server, event, signed, version);
    const pduText = canonicalJson(taken, { lenient: !version.strictCanonicalJson });
    const { position } = await this.workers.run(roomId, context, (turn) =>
      acceptOwn(turn, { event: parseRoomEvent(taken, version, roomId), pduText }, this.author.serverName),
    );
    if (position !== undefined) await this.views.whenProcessed(position, [ROOM_STATE.name, TIMELINE.name]);
    return eventId;
  }
}

/** The event as it would be sent now; the id of that which says the same already. */
async function decideInvite(
  turn: RoomTurn,
  sender: UserId,
  target: UserId,
  content: JsonObject,
): Promise<DecidedInvite | EventId> {
  await checkIsIn(turn, sender);
  const { version } = turn.head;
  const draft = { type: 'm.room.member', stateKey: target, sender, content };
  await checkState(turn, draft);
  const before = await turn.findState('m.room.member', target);
  const options = { lenient: !version.strictCanonicalJson };
  const isSame =
    before?.sender === sender && canonicalJson(before.content, options) === canonicalJson(content, options);
  if (isSame) return before.eventId;
  const { event } = await turn.decide(draft);
  const told = await turn.findStates([...TOLD, { type: 'm.room.member', stateKey: sender }]);
  return { event, version, roomState: told.map(({ pdu }) => pdu) };
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
