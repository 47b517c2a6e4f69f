import { randomBytes } from 'node:crypto';
import { Inject, Logger } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AppendTooLarge } from '#event-store/event-store-errors';
import { CLOCK, type Clock } from '#kernel/clock';
import { isRoomAlias, type RoomAlias, type RoomId, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused } from '#kernel/peer-errors';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { parseRoomEvent } from '#protocol/parse-room-event';
import { DEFAULT_ROOM_VERSION, findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { ALIAS_BOOK, type AliasBook } from '../alias-book.js';
import { decideCreateEvent, type DecidedEvent, EVENT_AUTHOR, type EventAuthor, seal } from '../decide/decide-event.js';
import { checkNewRoom } from '../decide/check-new-room.js';
import { type CreateRoomOptions, createContent, type InitialState, initialStateOf } from '../decide/new-room-events.js';
import { headBeforeCreate } from '../decide/room-head.js';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '../facts/log-limits.js';
import type { RoomListed } from '../facts/room-facts.js';
import { liveRoom } from '../worker/live-room.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { MEMBERSHIP_VIEWS, MembershipChanges } from './change-membership.js';
import { checkAliases } from './check-aliases.js';
import { isSameAlias } from './drop-canonical-alias.js';

/**
 * Begins a room: client-server API, "Creation". All of its first events reach the log in one write, unless it may take several. Throws
 * M_UNSUPPORTED_ROOM_VERSION, M_ROOM_IN_USE (the alias is taken), M_INVALID_ROOM_STATE (the events wanted contradict each
 * other), M_FORBIDDEN, M_INVALID_PARAM, M_BAD_JSON (state that rules read cannot be read), M_BAD_ALIAS, M_INVITE_BLOCKED (somebody of this server).
 */
export class CreateRoom {
  constructor(
    readonly requester: Requester,
    readonly options: CreateRoomOptions,
    /** The room's id, where it has been promised already (an upgrade) and is not the hash of the create event. */
    readonly roomId?: RoomId,
    /** Whether the initial state may go into several writes, where it is large: nobody knows of the room before the last. */
    readonly takesSeveralWrites = false,
  ) {}
}

export interface RoomCreated {
  readonly roomId: RoomId;
  readonly roomAlias?: RoomAlias;
}

/** What a state event takes in the log besides its content, roughly. */
const STATE_EVENT_BYTES = 2048;

/** So many rooms may begin at once, each a millisecond after the other. */
const MAX_AHEAD_MS = 10_000;

@CommandHandler(CreateRoom)
export class CreateRoomHandler implements ICommandHandler<CreateRoom> {
  /** When the last room began whose id is the hash of its create event, in milliseconds. */
  #begunAt = 0;
  readonly #log = new Logger('rooms');

  constructor(
    private readonly workers: RoomWorkers,
    private readonly memberships: MembershipChanges,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ requester, options, roomId: chosen, takesSeveralWrites }: CreateRoom): Promise<RoomCreated> {
    const { serverName } = this.author;
    const version = versionOf(options);
    const alias = aliasOf(options, serverName);
    const create = this.#createEvent(requester.userId, options, version, chosen);
    const { roomId } = create.event;
    const initialState = initialStateOf(requester.userId, options, version, alias);
    checkNewRoom(create.event, version, initialState, serverName);
    await checkOwnAliases(roomId, initialState, alias);
    if (alias !== undefined) await this.aliases.claim(alias, roomId, requester);
    try {
      await this.#begin(requester, options, create, takesSeveralWrites ? inPieces(initialState) : [initialState]);
    } catch (error) {
      // After any other error the room may have begun: then the alias is its own, else it is free again some time later.
      const isRefused = error instanceof MatrixError || error instanceof AppendTooLarge;
      if (alias !== undefined && isRefused) await this.aliases.release(alias, roomId, requester);
      throw error;
    }
    return alias === undefined ? { roomId } : { roomId, roomAlias: alias };
  }

  #createEvent(creator: UserId, options: CreateRoomOptions, version: RoomVersion, chosen?: RoomId): DecidedEvent {
    const { serverName } = this.author;
    const roomId = chosen ?? `!${randomBytes(18).toString('base64url')}:${serverName}`;
    const pdu: JsonObject = {
      auth_events: [],
      content: createContent(creator, options, version),
      depth: 1,
      origin: serverName,
      origin_server_ts: version.roomIdIsCreateHash ? this.#ownMoment() : this.clock.now(),
      prev_events: [],
      sender: creator,
      state_key: '',
      type: 'm.room.create',
      ...(version.roomIdIsCreateHash ? {} : { room_id: roomId }),
    };
    const sealed = seal(pdu, version, this.author);
    const event = parseRoomEvent(sealed.pdu, version, undefined, sealed);
    return decideCreateEvent(headBeforeCreate(version, event), event, sealed.json);
  }

  /** Two rooms alike that began in the same millisecond would be the same room. A clock that was set back is followed. */
  #ownMoment(): number {
    const now = this.clock.now();
    this.#begunAt = this.#begunAt - now > MAX_AHEAD_MS ? now : Math.max(now, this.#begunAt + 1);
    return this.#begunAt;
  }

  async #begin(
    requester: Requester,
    options: CreateRoomOptions,
    create: DecidedEvent,
    [initialState = [], ...later]: readonly (readonly InitialState[])[],
  ): Promise<void> {
    const { event, head } = create;
    const members = await this.#members(requester.userId, options);
    const { invitations } = this.memberships;
    const [invitedElsewhere, invitedHere] = divide(members.slice(1), ({ userId }) => invitations.isElsewhere(userId));
    const seed = liveRoom(event.roomId, headBeforeCreate(head.version, event));
    let { position } = await this.workers.create(seed, contextOf(requester), async (turn) => {
      turn.accept(create);
      await sendMember(turn, requester.userId, members[0]);
      await sendInitialState(turn, requester.userId, initialState);
      for (const member of invitedHere) await sendMember(turn, requester.userId, member);
      if (options.visibility === 'public') {
        turn.append('room-listed', { listed: true, by: requester.userId } satisfies RoomListed);
      }
      // What a room would not begin with holds nothing.
      for (const { userId, isHeld } of invitedHere) {
        if (isHeld === true) await invitations.permissions.hold(event.roomId, requester.userId, userId);
      }
    });
    for (const piece of later) {
      ({ position } = await this.workers.run(event.roomId, contextOf(requester), (turn) =>
        sendInitialState(turn, requester.userId, piece),
      ));
    }
    if (position === undefined) return;
    await this.views.whenProcessed(position, MEMBERSHIP_VIEWS);
    await this.memberships.tellNewerProfile(requester, event.roomId, members[0]!.content);
    await this.#inviteElsewhere(requester, event.roomId, invitedElsewhere);
  }

  /** The room has begun, and whoever cannot be asked into it now can be later. */
  async #inviteElsewhere(requester: Requester, roomId: RoomId, members: readonly Member[]): Promise<void> {
    for (const { userId, content } of members) {
      try {
        const { invitations } = this.memberships;
        await invitations.invite(roomId, requester.userId, userId, content, contextOf(requester));
      } catch (error) {
        if (!(error instanceof MatrixError || error instanceof PeerRefused)) throw error;
        this.#log.warn(`${userId} could not be invited to ${roomId}: ${error.message}`);
      }
    }
  }

  /**
   * The creator's join and the invitations, with the profiles of their users. Whoever is invited with a group, and does not want that, is left
   * out; who is named must want it.
   */
  async #members(
    creator: UserId,
    { invite = [], inviteGroups = [], is_direct: direct }: CreateRoomOptions,
  ): Promise<Member[]> {
    const members: Member[] = [
      { userId: creator, content: await this.memberships.contentOf({ target: creator, membership: 'join' }) },
    ];
    if (invite.includes(creator)) throw new MatrixError('M_FORBIDDEN', 'You are in the room already');
    const named = new Set(invite);
    for (const userId of new Set([...invite, ...(await this.#membersOf(creator, inviteGroups))])) {
      const shown = await this.memberships.contentOf({ target: userId, membership: 'invite' });
      const content = direct === true ? { ...shown, is_direct: true } : shown;
      try {
        const isHeld = await this.memberships.invitations.permissions.check(creator, userId, content);
        members.push({ userId, content, isHeld });
      } catch (error) {
        if (named.has(userId) || !(error instanceof MatrixError)) throw error;
      }
    }
    return members;
  }

  /** Who is in groups of the creator's presence list. */
  async #membersOf(creator: UserId, groups: readonly string[]): Promise<UserId[]> {
    const members: UserId[] = [];
    for (const group of groups) {
      const found = (await this.memberships.groups?.listMembers(creator, group)) ?? [];
      if (found.length === 0) throw new MatrixError('M_INVALID_PARAM', 'Nobody on your presence list is in this group');
      members.push(...found);
    }
    return members;
  }
}

function divide<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

/** As much as one write takes, in each piece. */
function inPieces(events: readonly InitialState[]): InitialState[][] {
  const bytesOf = ({ content }: InitialState) => bytesInLog(JSON.stringify(content)) + STATE_EVENT_BYTES;
  return inGroups(events, bytesOf, MOST_IN_A_WRITE);
}

/** Aliases that the room calls its own are its own from the beginning: it can have but the one that is claimed for it. */
async function checkOwnAliases(
  roomId: RoomId,
  events: readonly InitialState[],
  claimed: RoomAlias | undefined,
): Promise<void> {
  const resolve = async (alias: RoomAlias): Promise<RoomId | undefined> =>
    isSameAlias(claimed, alias) ? roomId : undefined;
  for (const { type, content } of events) {
    if (type === 'm.room.canonical_alias') await checkAliases({ resolve }, roomId, {}, content);
  }
}

interface Member {
  readonly userId: UserId;
  readonly content: JsonObject;
  /** They are not shown the invitation for now. */
  readonly isHeld?: boolean;
}

async function sendMember(turn: RoomTurn, sender: UserId, member: Member | undefined): Promise<void> {
  if (member === undefined) return;
  await turn.send({ type: 'm.room.member', stateKey: member.userId, sender, content: member.content });
}

async function sendInitialState(turn: RoomTurn, sender: UserId, events: readonly InitialState[]): Promise<void> {
  for (const { type, state_key: stateKey, content } of events) {
    try {
      await turn.send({ type, stateKey: stateKey ?? '', sender, content });
    } catch (error) {
      if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error;
      throw new MatrixError('M_INVALID_ROOM_STATE', `${type}: ${error.message}`);
    }
  }
}

function versionOf({ room_version: wanted = DEFAULT_ROOM_VERSION }: CreateRoomOptions): RoomVersion {
  const version = findRoomVersion(wanted);
  if (version === undefined) throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', `No room version ${wanted} here`);
  return version;
}

function aliasOf({ room_alias_name: localpart }: CreateRoomOptions, serverName: string): RoomAlias | undefined {
  if (localpart === undefined) return undefined;
  const alias = `#${localpart}:${serverName}`;
  if (localpart.includes(':') || !isRoomAlias(alias)) {
    throw new MatrixError('M_INVALID_PARAM', `Not the local part of a room alias: ${localpart}`);
  }
  return alias;
}
