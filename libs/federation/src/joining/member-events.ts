import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import { isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findRoomVersion, FIRST_ROOM_VERSION, ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { type SealedEvent, sealEvent } from '#protocol/signing/seal-event';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import type { GivenMember } from '#rooms/remote-rooms';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { HeardThere } from './heard-there.js';

/** A member event of a user here that another server is to let into a room. */
export interface WantedMember {
  readonly userId: UserId;
  readonly roomId: RoomId;
  readonly content: JsonObject;
  /** As of a `RemoteMembership`. */
  readonly beforeGiven?: (given: GivenMember) => Promise<void>;
  readonly made?: GivenMember;
}

/** The event, signed, and the version of its room as the other server says. */
export interface MadeMember {
  readonly version: RoomVersion;
  readonly sealed: Pick<SealedEvent, 'eventId' | 'pdu'>;
}

const TIMEOUT_MS = 30_000;

/** Member events of users here for rooms that another server must let them into: the first half of each handshake. */
@Injectable()
export class MemberEvents {
  constructor(
    private readonly peers: Peers,
    private readonly heard: HeardThere,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Asks a server how the event is to stand in the room, and signs it: server-server API, `make_join`, `make_knock`, `make_leave`. What
   * the server says of anything but its place is not taken over. Throws PeerUnavailable, PeerRefused: also where it says that the room is
   * of a version that is not known here, for another server may say otherwise. What was made before is not asked for again.
   */
  async make(server: ServerName, step: 'join' | 'knock' | 'leave', wanted: WantedMember): Promise<MadeMember> {
    if (wanted.made !== undefined) return { version: wanted.made.version, sealed: wanted.made };
    const { version, sealed } = await this.#make(server, step, wanted);
    await wanted.beforeGiven?.({ server, version, eventId: sealed.eventId, pdu: sealed.pdu });
    return { version, sealed };
  }

  async #make(server: ServerName, step: 'join' | 'knock' | 'leave', wanted: WantedMember): Promise<MadeMember> {
    const { roomId, userId } = wanted;
    if (step !== 'leave') await this.heard.until(server, roomId);
    const ver = step === 'leave' ? undefined : ROOM_VERSIONS.map(({ id }) => id);
    const path = pathOf(`/_matrix/federation/v1/make_${step}/:roomId/:userId`, { roomId, userId }, { ver });
    const made = await this.peers.ask(server, { method: 'GET', path, timeoutMs: TIMEOUT_MS, insists: true });
    const { room_version: named = FIRST_ROOM_VERSION, event: template } = made;
    if (typeof named !== 'string' || !isJsonObject(template)) throw new PeerUnavailable(`${server} made no event`);
    const version = findRoomVersion(named);
    if (version === undefined) {
      const error = `The room is of version ${named}`;
      throw new PeerRefused(400, { errcode: 'M_UNSUPPORTED_ROOM_VERSION', error });
    }
    return { version, sealed: this.#seal(template, wanted, version) };
  }

  #seal(template: JsonObject, wanted: WantedMember, version: RoomVersion): SealedEvent {
    const { roomId } = wanted;
    const { serverName } = this.config;
    try {
      const unsealed = completeMember(template, wanted, version, serverName, this.clock.now());
      const named =
        version.eventIds === 'opaque'
          ? { ...unsealed, event_id: `$${randomBytes(18).toString('base64url')}:${serverName}` }
          : unsealed;
      const sealed = sealEvent(named, version, serverName, this.key);
      parseRoomEvent(sealed.pdu, version, roomId, sealed);
      return sealed;
    } catch (error) {
      if (error instanceof MatrixError && error.errcode !== 'M_TOO_LARGE') throw new PeerUnavailable(error.message);
      throw error;
    }
  }
}

/**
 * The event that is to be signed: what the user wants, at the place that the other server says. It says too who of a server in the room
 * vouches for a join; nobody of ours, for which our own signature would do. Throws PeerUnavailable for the template of another event.
 */
export function completeMember(
  template: JsonObject,
  { userId, roomId, content }: WantedMember,
  { restrictedJoins }: RoomVersion,
  ours: ServerName,
  now: number,
): JsonObject {
  const { type, sender, state_key: stateKey, room_id: room, content: told } = template;
  const isAsked = type === 'm.room.member' && sender === userId && stateKey === userId && room === roomId;
  if (!isAsked || !isJsonObject(told) || told['membership'] !== content['membership']) {
    throw new PeerUnavailable('It made another event than was asked for');
  }
  const { join_authorised_via_users_server: authoriser } = told;
  if (authoriser !== undefined && (!restrictedJoins || !isOfAnother(authoriser, ours))) {
    throw new PeerUnavailable('It names nobody who may vouch for the join');
  }
  const { depth, prev_events, auth_events } = template;
  // By the word of the user somebody of ours would vouch for them, who signs for all of ours.
  const { join_authorised_via_users_server: _, ...own } = content;
  return {
    auth_events,
    content: authoriser === undefined ? own : { ...own, join_authorised_via_users_server: authoriser },
    depth,
    origin: ours,
    origin_server_ts: now,
    prev_events,
    room_id: roomId,
    sender: userId,
    state_key: userId,
    type,
  };
}

function isOfAnother(authoriser: unknown, ours: ServerName): boolean {
  return typeof authoriser === 'string' && isUserId(authoriser) && serverNameOf(authoriser) !== ours;
}
