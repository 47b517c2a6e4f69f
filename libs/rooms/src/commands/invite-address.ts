import { Inject, Optional } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { PROFILES } from '#accounts/projections/profiles.projector';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import {
  ADDRESS_INVITATIONS,
  type AddressInvitations,
  type AskedAddress,
  type RoomToTell,
} from '../address-invitations.js';
import { whenWhole } from '../queries/partial-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkIsIn } from './check-state.js';
import { InviteUser } from './invite-user.js';
import { SetState } from './set-state.js';

const OFFER = 'm.room.third_party_invite';

/**
 * Asks somebody into a room who is known by an address alone: client-server API, "Third-party invites". Where an identity server knows whose it is, that user
 * is invited; else it writes to the address, and the room has an `m.room.third_party_invite`, which becomes an invitation once that is known. Nobody is asked
 * anything, and no mail is sent, for who may not invite. Throws as `InviteUser` and `AddressInvitations`.
 */
export class InviteAddress {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly asked: AskedAddress,
    readonly reason?: string,
    /** Into a one-to-one chat: the offer remembers it until it is known who is invited. */
    readonly isDirect = false,
  ) {}
}

@CommandHandler(InviteAddress)
export class InviteAddressHandler implements ICommandHandler<InviteAddress> {
  constructor(
    private readonly commands: CommandBus,
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Optional() @Inject(ADDRESS_INVITATIONS) private readonly addresses?: AddressInvitations,
  ) {}

  async execute({ requester, roomId, asked, reason, isDirect }: InviteAddress): Promise<void> {
    refuseSuspended(requester);
    if (this.addresses === undefined) throw new MatrixError('M_FORBIDDEN', 'This server invites nobody by an address');
    this.addresses.check(asked);
    const room = await whenWhole(this.views, roomId, () => this.#describe(requester, roomId));
    const known = await this.addresses.offer(requester, asked, room);
    if (known.userId !== undefined) {
      await this.commands.execute(new InviteUser(requester, roomId, known.userId, reason, isDirect));
    } else {
      const content = isDirect ? { ...known.content, is_direct: true } : known.content;
      await this.commands.execute(new SetState(requester, roomId, OFFER, known.token, content));
    }
  }

  /** Throws M_FORBIDDEN where the user may not invite. */
  async #describe(requester: Requester, roomId: RoomId): Promise<RoomToTell> {
    const { userId } = requester;
    const { result } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      await checkIsIn(turn, userId);
      await turn.authorise({ type: OFFER, stateKey: 'any', sender: userId, content: {} });
      return toldOf(turn);
    });
    const profile = await this.#profileOf(userId);
    return withTexts<RoomToTell>({
      room_id: roomId,
      ...result,
      sender_display_name: profile['displayname'],
      sender_avatar_url: profile['avatar_url'],
    });
  }

  async #profileOf(userId: UserId): Promise<JsonObject> {
    const profile = await PROFILES.get(this.views, [userId]);
    return profile === undefined ? {} : (JSON.parse(profile) as JsonObject); // as its projector wrote it
  }
}

/** What the state of a room says of it. */
async function toldOf(turn: RoomTurn): Promise<Readonly<Record<string, unknown>>> {
  const of = async (type: string, key: string): Promise<unknown> => (await turn.findState(type, ''))?.content[key];
  return {
    room_alias: await of('m.room.canonical_alias', 'alias'),
    room_avatar_url: await of('m.room.avatar', 'url'),
    room_join_rules: await of('m.room.join_rules', 'join_rule'),
    room_name: await of('m.room.name', 'name'),
    room_type: turn.head.createEvent.content['type'],
  };
}

/** Rooms and profiles may say what they like: what is no text is left out. */
function withTexts<T>(told: Readonly<Record<string, unknown>>): T {
  return Object.fromEntries(Object.entries(told).filter(([, value]) => typeof value === 'string')) as T;
}
