import { randomBytes } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomAlias, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { scanPages } from '#projections/scan-pages';
import { VIEWS, type Views } from '#projections/views';
import { keepCanonical } from '#protocol/canonical-json/keep-canonical';
import type { StateContent } from '#protocol/event-auth/check-state-content';
import { levelToSend, powerLevelOf } from '#protocol/event-auth/power-levels';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ALIAS_BOOK, type AliasBook } from '../alias-book.js';
import { type DecidedEvent, EVENT_AUTHOR, type EventAuthor, type EventDraft } from '../decide/decide-event.js';
import type { RoomListed } from '../facts/room-facts.js';
import { newRoomOptions, type OldRoom, restrictedLevels, TRANSFERABLE } from '../decide/upgraded-room.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { UnknownRoom } from '../worker/unknown-room.js';
import { CreateRoom } from './create-room.js';
import { isSameAlias } from './drop-canonical-alias.js';

const SPACE_CHILD = 'm.space.child';

/**
 * Replaces a room by one of another version: client-server API, "Room Upgrades". Throws M_UNSUPPORTED_ROOM_VERSION,
 * M_FORBIDDEN (the user may not send m.room.tombstone), and M_NOT_FOUND both for a room that is not here and for one that the
 * user was never in: clients expect that of a room that is gone, and the two must not differ.
 */
export class UpgradeRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly newVersion: string,
    readonly additionalCreators: readonly UserId[] = [],
  ) {}
}

@CommandHandler(UpgradeRoom)
export class UpgradeRoomHandler implements ICommandHandler<UpgradeRoom> {
  constructor(
    private readonly commands: CommandBus,
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute(command: UpgradeRoom): Promise<{ replacementRoom: RoomId }> {
    const { requester, roomId, newVersion, additionalCreators } = command;
    const version = findRoomVersion(newVersion);
    if (version === undefined)
      throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', `No room version ${newVersion} here`);
    const old = await this.#read(requester, roomId).catch((error: unknown) => {
      throw error instanceof UnknownRoom ? new MatrixError('M_NOT_FOUND', error.message) : error;
    });

    // The new room first: one that cannot be made must not cost the old one.
    let tombstone: DecidedEvent | undefined;
    let chosen: RoomId | undefined;
    // Where the id of a room is the hash of its create event, that event cannot name a tombstone which names the room.
    if (!version.roomIdIsCreateHash) {
      chosen = `!${randomBytes(18).toString('base64url')}:${this.author.serverName}` as RoomId;
      tombstone = await this.#foresee(requester, roomId, chosen);
    }
    const options = newRoomOptions(old, version, requester.userId, additionalCreators, tombstone?.event.eventId);
    const { roomId: replacementRoom } = await this.commands.execute(new CreateRoom(requester, options, chosen));
    await this.#bury(requester, roomId, replacementRoom, tombstone);
    await this.#moveAliases(requester, roomId, replacementRoom);
    await this.#moveListing(requester, roomId, replacementRoom);
    await this.#silence(requester, roomId);
    return { replacementRoom };
  }

  /**
   * What moves over, read by a user who may send the tombstone. NOTSPEC: bans, and the rooms of a space, which the specification
   * leaves open: a space without its rooms, or a room that its banned users walk into again, is no replacement.
   */
  async #read(requester: Requester, roomId: RoomId): Promise<OldRoom> {
    const { result } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      await checkMayUpgrade(turn, requester.userId);
      const state = await turn.findStates(TRANSFERABLE.map((type) => ({ type, stateKey: '' })));
      return { roomId, createEvent: turn.head.createEvent, version: turn.head.version, state };
    });
    const state: StateContent[] = result.state.map(({ type, content }) => ({ type, stateKey: '', content }));
    for await (const page of scanPages(this.views, 'room-members', { prefix: [roomId, 'ban'] })) {
      const users = page.map(({ key }) => key[2] as string);
      const members = await this.#statesOf(requester, roomId, 'm.room.member', users);
      state.push(...members.filter(({ content }) => content['membership'] === 'ban').map(banOf));
    }
    if (result.createEvent.content['type'] !== 'm.space') return { ...result, state };
    for await (const page of scanPages(this.views, 'room-state', { prefix: [roomId, SPACE_CHILD] })) {
      const rooms = page.map(({ key }) => key[2] as string);
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
    });
    if (position !== undefined) await this.views.whenProcessed(position);
  }

  async #moveAliases(requester: Requester, from: RoomId, to: RoomId): Promise<void> {
    const moved = await this.aliases.listOf(from);
    for (const alias of moved) await this.aliases.move(alias, from, to, requester);
    await this.#moveCanonicalAlias(requester, from, to, moved);
  }

  async #moveCanonicalAlias(requester: Requester, from: RoomId, to: RoomId, moved: RoomAlias[]): Promise<void> {
    const sender = requester.userId;
    const { result: content } = await this.workers.run(from, contextOf(requester), async (turn) => {
      const canonical = await turn.findState('m.room.canonical_alias');
      const named = canonical?.content['alias'];
      if (canonical === undefined || !moved.some((alias) => isSameAlias(named, alias))) return undefined;
      await unlessRefused(turn.send({ type: 'm.room.canonical_alias', stateKey: '', sender, content: {} }));
      return keepCanonical(canonical.content);
    });
    if (content === undefined) return;
    const { position } = await this.workers.run(to, contextOf(requester), (turn) =>
      unlessRefused(turn.send({ type: 'm.room.canonical_alias', stateKey: '', sender, content })),
    );
    if (position !== undefined) await this.views.whenProcessed(position);
  }

  /** NOTSPEC: people look for the room in the public directory, and are to find the new one. */
  async #moveListing(requester: Requester, from: RoomId, to: RoomId): Promise<void> {
    if ((await this.views.get('public-rooms', [from])) === undefined) return;
    for (const [roomId, listed] of [
      [from, false],
      [to, true],
    ] as const) {
      const { position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
        turn.append('room-listed', { listed, by: requester.userId } satisfies RoomListed);
      });
      if (position !== undefined) await this.views.whenProcessed(position);
    }
  }

  /** Only those who may change power levels can do this last step; without it the tombstone alone says what happened. */
  async #silence(requester: Requester, roomId: RoomId): Promise<void> {
    const { position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      const levels = (await turn.findState('m.room.power_levels'))?.content ?? {};
      const content = restrictedLevels(levels);
      if (content === undefined) return;
      const draft = { type: 'm.room.power_levels', stateKey: '', sender: requester.userId, content };
      await unlessRefused(turn.send(draft));
    });
    if (position !== undefined) await this.views.whenProcessed(position);
  }
}

/** Whether a child is still one of the space: "children where via is not present are ignored". */
function isChild({ content: { via } }: StateContent): boolean {
  return Array.isArray(via) && via.length > 0;
}

/** A ban holds in the new room whatever else the event says of the user. */
function banOf({ type, stateKey, content: { reason } }: StateContent): StateContent {
  return { type, stateKey, content: { membership: 'ban', ...(typeof reason === 'string' ? { reason } : {}) } };
}

function tombstoneOf(sender: UserId, replacement: RoomId): EventDraft {
  const content = { body: 'This room has been replaced', replacement_room: replacement };
  return { type: 'm.room.tombstone', stateKey: '', sender, content };
}

/** For what a user who may upgrade the room need not be allowed to do: the room is replaced all the same. */
async function unlessRefused(sent: Promise<unknown>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
  }
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
