import { randomBytes } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { isRoomId, parseUserId, type RoomId, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { StateContent } from '#protocol/event-auth/check-state-content';
import { levelToSend, powerLevelOf } from '#protocol/event-auth/power-levels';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { type DecidedEvent, EVENT_AUTHOR, type EventAuthor, type EventDraft } from '../decide/decide-event.js';
import type { RoomUpgraded } from '../facts/room-facts.js';
import { refusePart } from '../decide/refuse-while-partial.js';
import { newRoomOptions, type OldRoom, TRANSFERABLE } from '../decide/upgraded-room.js';
import { untilWhole, whenWhole } from '../queries/partial-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { UnknownRoom } from '../worker/unknown-room.js';
import { CreateRoom } from './create-room.js';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';

const SPACE_CHILD = 'm.space.child';

/**
 * Replaces a room by one of another version: client-server API, "Room Upgrades". What moves after the tombstone follows from the
 * fact `room-upgraded` (`CompleteUpgrade`). Who asks again is answered with the room that there is. Throws M_UNSUPPORTED_ROOM_VERSION,
 * M_INVALID_PARAM (a creator is no user), M_FORBIDDEN (the user may not send m.room.tombstone), RoomIsPartial where the rest of the room (its
 * bans) does not come in time, and M_NOT_FOUND both for a room that is
 * not here and for one that the user was never in: clients expect that of a room that is gone, and the two must not differ.
 */
export class UpgradeRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly newVersion: string,
    /** Not looked at where the new version has no such creators. */
    readonly additionalCreators: readonly string[] = [],
  ) {}
}

@CommandHandler(UpgradeRoom)
export class UpgradeRoomHandler implements ICommandHandler<UpgradeRoom> {
  /** One upgrade of a room at a time: who asks twice gets one new room. */
  readonly #turns = new KeyedQueue<RoomId>();

  constructor(
    private readonly commands: CommandBus,
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute(command: UpgradeRoom): Promise<{ replacementRoom: RoomId }> {
    return { replacementRoom: await this.#turns.run(command.roomId, () => this.#upgrade(command)) };
  }

  async #upgrade(command: UpgradeRoom): Promise<RoomId> {
    const { requester, roomId, newVersion, additionalCreators } = command;
    const version = findRoomVersion(newVersion);
    if (version === undefined)
      throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', `No room version ${newVersion} here`);
    const named = version.privilegedCreators ? additionalCreators : [];
    const creators = named.map((user) => parseUserId(user, this.author.serverName));
    const reading = whenWhole(this.views, roomId, () => this.#read(requester, roomId));
    const old = await reading.catch((error: unknown) => {
      throw error instanceof UnknownRoom ? new MatrixError('M_NOT_FOUND', error.message) : error;
    });

    const replaced = await this.#findReplacement(command, creators);
    if (replaced !== undefined) return replaced;
    // The new room first: one that cannot be made must not cost the old one.
    let tombstone: DecidedEvent | undefined;
    let chosen: RoomId | undefined;
    // Where the id of a room is the hash of its create event, that event cannot name a tombstone which names the room.
    if (!version.roomIdIsCreateHash) {
      chosen = `!${randomBytes(18).toString('base64url')}:${this.author.serverName}` as RoomId;
      tombstone = await this.#foresee(requester, roomId, chosen);
    }
    const options = newRoomOptions(old, version, requester.userId, creators, tombstone?.event.eventId);
    const { roomId: replacementRoom } = await this.commands.execute(new CreateRoom(requester, options, chosen, true));
    await this.#bury(requester, roomId, replacementRoom, tombstone);
    return replacementRoom;
  }

  /** The room that this very request has made already: its answer was lost, or its sender is impatient. */
  async #findReplacement(
    { requester, roomId, newVersion }: UpgradeRoom,
    creators: readonly UserId[],
  ): Promise<RoomId | undefined> {
    const context = contextOf(requester);
    const { result: tombstone } = await this.workers.run(roomId, context, (turn) => turn.findState('m.room.tombstone'));
    const replacement = tombstone?.sender === requester.userId ? tombstone.content['replacement_room'] : undefined;
    if (typeof replacement !== 'string' || !isRoomId(replacement)) return undefined;
    const compared = this.workers.run(replacement, context, async (turn) => {
      const { version, createEvent } = turn.head;
      const { predecessor, additional_creators: others = [] } = createEvent.content;
      return (
        version.id === newVersion &&
        isJsonObject(predecessor) &&
        predecessor['room_id'] === roomId &&
        (!version.privilegedCreators || hasSame(others, creators, requester.userId)) &&
        (await turn.findMembership(requester.userId)) === 'join'
      );
    });
    const isIt = await compared.catch((error: unknown) => {
      if (!(error instanceof UnknownRoom)) throw error;
      return { result: false };
    });
    return isIt.result ? replacement : undefined;
  }

  /**
   * What moves over, read by a user who may send the tombstone. NOTSPEC: bans, and the rooms of a space, which the specification
   * leaves open: a space without its rooms, or a room that its banned users walk into again, is no replacement.
   */
  async #read(requester: Requester, roomId: RoomId): Promise<OldRoom> {
    const { result } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      await checkMayUpgrade(turn, requester.userId);
      refusePart(turn.head);
      const state = await turn.findStates(TRANSFERABLE.map((type) => ({ type, stateKey: '' })));
      return { roomId, createEvent: turn.head.createEvent, version: turn.head.version, state };
    });
    const state: StateContent[] = result.state.map(({ type, content }) => ({ type, stateKey: '', content }));
    // The room is whole; the views may have to come so far.
    await untilWhole(this.views, roomId);
    for await (const page of ROOM_MEMBERS.pages(this.views, { prefix: [roomId, 'ban'] })) {
      const users = page.map(({ key }) => key[2]);
      const members = await this.#statesOf(requester, roomId, 'm.room.member', users);
      state.push(...members.filter(({ content }) => content['membership'] === 'ban').map(banOf));
    }
    if (result.createEvent.content['type'] !== 'm.space') return { ...result, state };
    for await (const page of ROOM_STATE.pages(this.views, { prefix: [roomId, SPACE_CHILD] })) {
      const rooms = page.map(({ key }) => key[2]);
      state.push(...(await this.#statesOf(requester, roomId, SPACE_CHILD, rooms)).filter(isChild));
    }
    return { ...result, state };
  }

  /** The state of one type under many keys, as the room itself has it. */
  async #statesOf(requester: Requester, roomId: RoomId, type: string, keys: string[]): Promise<StateContent[]> {
    const names = keys.map((stateKey) => ({ type, stateKey }));
    const { result } = await this.workers.run(roomId, contextOf(requester), (turn) => turn.findStates(names));
    return result.map(({ stateKey = '', content }) => ({ type, stateKey, content }));
  }

  /** The tombstone as it would be now, sent nowhere yet: the new room names it as the last event of the old one. */
  async #foresee(requester: Requester, roomId: RoomId, replacement: RoomId): Promise<DecidedEvent> {
    const { result } = await this.workers.run(roomId, contextOf(requester), (turn) =>
      turn.decide(tombstoneOf(requester.userId, replacement)),
    );
    return result;
  }

  /** Sends the tombstone: as foreseen, unless something came between, which a tombstone of another id has to follow. */
  async #bury(requester: Requester, roomId: RoomId, replacement: RoomId, foreseen?: DecidedEvent): Promise<void> {
    const { position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      if (foreseen !== undefined && turn.head.revision === foreseen.head.revision - 1) turn.accept(foreseen);
      else await turn.send(tombstoneOf(requester.userId, replacement));
      turn.append('room-upgraded', { replacement_room: replacement, by: requester.userId } satisfies RoomUpgraded);
    });
    if (position !== undefined) await this.views.whenProcessed(position);
  }
}

/** Whether a child is still one of the space: "children where via is not present are ignored". */
function isChild({ content: { via } }: StateContent): boolean {
  return Array.isArray(via) && via.length > 0;
}

/** Whether the create event names the creators that are wanted beside its sender. */
function hasSame(named: JsonValue, wanted: readonly UserId[], sender: UserId): boolean {
  const others = new Set<unknown>(wanted.filter((userId) => userId !== sender));
  return Array.isArray(named) && named.length === others.size && named.every((userId) => others.has(userId));
}

/** A ban holds in the new room whatever else the event says of the user. */
function banOf({ type, stateKey, content: { reason } }: StateContent): StateContent {
  return { type, stateKey, content: { membership: 'ban', ...(typeof reason === 'string' ? { reason } : {}) } };
}

function tombstoneOf(sender: UserId, replacement: RoomId): EventDraft {
  const content = { body: 'This room has been replaced', replacement_room: replacement };
  return { type: 'm.room.tombstone', stateKey: '', sender, content };
}

async function checkMayUpgrade(turn: RoomTurn, userId: UserId): Promise<void> {
  const levels = await turn.powerLevels();
  const { version } = turn.head;
  const needed = levelToSend('m.room.tombstone', true, levels, version);
  const joined = (await turn.findMembership(userId)) === 'join';
  if (!joined || powerLevelOf(userId, levels, version) < needed) {
    throw new MatrixError('M_FORBIDDEN', 'You may not upgrade this room');
  }
}
