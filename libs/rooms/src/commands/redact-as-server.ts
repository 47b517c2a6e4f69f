import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { type EventId, isUserId, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { VIEWS, type Views } from '#projections/views';
import { levelNeeded, powerLevelOf } from '#protocol/event-auth/power-levels';
import type { RoomEvent } from '#protocol/room-event';
import type { OrderedRedaction } from '../facts/ordered-redaction.js';
import { PolicyRefused } from '../policy-refused.js';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';
import { findRowInRoom } from '../reading/event-rows.js';
import { RoomWorkers, type TurnResult } from '../worker/room-workers.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { isReadByRules, mayRedact, redactHere } from './redact-here.js';
import { acceptRedaction, draftRedaction } from './redaction.js';

/** What became of an event that an operator had redacted. */
export interface RedactedAsServer {
  /** The user of this server in whose name the room was told; undefined where it is redacted on this server alone, or was before. */
  readonly as?: UserId;
  /** The redaction in the room. */
  readonly eventId?: EventId;
  /** It was redacted already. */
  readonly before?: true;
}

/**
 * Redacts an event of any room that is here, for an operator: "server admins also need to be able to redact events by a similar mechanism"
 * (API v1, "Redactions"). Where a user of this server may redact it in the room, that is done in their name, the administrator's own first,
 * and every server hears of it; else it is redacted on this server alone. Who ordered it is told by the fact in either case.
 * Throws what may pass, M_NOT_FOUND, M_FORBIDDEN for state that rules read where only this server would be without it.
 */
export class RedactAsServer extends Command<RedactedAsServer> {
  constructor(
    readonly roomId: RoomId,
    readonly eventId: EventId,
    readonly order: OrderedRedaction,
    readonly requestId?: string,
  ) {
    super();
  }
}

@CommandHandler(RedactAsServer)
export class RedactAsServerHandler implements ICommandHandler<RedactAsServer> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  async execute({ roomId, eventId, order, requestId }: RedactAsServer): Promise<RedactedAsServer> {
    const row = await findRowInRoom(this.views, roomId, eventId);
    if (row?.header.redactedBy !== undefined) return { before: true };
    const context = { actor: order.by ?? 'server', correlation: requestId };
    const run = (isInRoom: boolean): Promise<TurnResult<RedactedAsServer>> =>
      this.workers.run(roomId, context, async (turn) => {
        const event = (await turn.known.find([eventId])).get(eventId)?.event;
        if (event === undefined) throw new MatrixError('M_NOT_FOUND', 'The room has no such event');
        if (event.type === 'm.room.create') throw new MatrixError('M_FORBIDDEN', 'The create event cannot be redacted');
        const able = isInRoom ? await this.#listAble(turn, event, order) : [];
        const redaction = await redactInRoom(turn, event, order, able);
        if (redaction !== undefined) return { as: redaction.sender, eventId: redaction.eventId };
        if (isReadByRules(event)) {
          throw new MatrixError(
            'M_FORBIDDEN',
            'Rules of the room read this state: only who may in the room can redact it',
          );
        }
        redactHere(turn, event, order);
        return {};
      });
    const { result, position } = await run(true).catch((error: unknown) => {
      // Its policy does not want the room to be told: here it is redacted all the same. That it does not answer says nothing.
      if (!(error instanceof PolicyRefused) || mayPass(error)) throw error;
      return run(false);
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return result;
  }

  /**
   * Who may be asked to redact an event: the administrator, where they may; its sender; those with the level, the greatest first. Not whoever
   * else is here, though a server may redact what its users sent: nobody is made to do what they could not do.
   */
  async #listAble(turn: RoomTurn, { sender }: RoomEvent, { by }: OrderedRedaction): Promise<readonly UserId[]> {
    const { version, createEvent } = turn.head;
    const state = await turn.powerLevels();
    const needed = levelNeeded('redact', state, version);
    const levelOf = (userId: UserId): number => powerLevelOf(userId, state, version);
    const isHere = (userId: UserId): boolean => serverNameOf(userId) === this.config.serverName;
    const { users } = state.get('m.room.power_levels', '')?.content ?? {};
    const named = [...Object.keys(isJsonObject(users) ? users : {}), ...creatorsOf(createEvent)].filter(isUserId);
    const others = levelNeeded('users_default', state, version) >= needed ? await this.#listMembers(turn.roomId) : [];
    const able = [...(by === undefined ? [] : [by]), ...named, ...others].filter((one) => levelOf(one) >= needed);
    const own = by !== undefined && able.includes(by) ? [by] : [];
    const byLevel = able.toSorted((a, b) => levelOf(b) - levelOf(a));
    return [...new Set([...own, sender, ...byLevel])].filter(isHere).slice(0, MOST_TRIED);
  }

  async #listMembers(roomId: RoomId): Promise<UserId[]> {
    const members = await ROOM_MEMBERS.scan(this.views, { prefix: [roomId, 'join'], limit: MOST_LOOKED_AT });
    return members.map(({ key }) => key[2]);
  }
}

const MOST_TRIED = 20;
const MOST_LOOKED_AT = 1_000;

function creatorsOf(createEvent: RoomEvent | undefined): string[] {
  if (createEvent === undefined) return [];
  const { additional_creators: others } = createEvent.content;
  return [createEvent.sender, ...(Array.isArray(others) ? others.map(String) : [])];
}

/** In the name of somebody here who may; undefined where nobody may. */
async function redactInRoom(
  turn: RoomTurn,
  event: RoomEvent,
  { reason }: OrderedRedaction,
  able: readonly UserId[],
): Promise<RoomEvent | undefined> {
  const content = reason === undefined ? {} : { reason };
  for (const sender of able) {
    const draft = draftRedaction(turn, sender, event.eventId, content);
    if (await mayRedact(turn, draft, event)) return acceptRedaction(turn, draft, event);
  }
  return undefined;
}
