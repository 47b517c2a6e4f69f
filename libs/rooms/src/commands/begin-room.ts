import { Inject, Logger, Optional } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable, reasonOf } from '#kernel/peer-errors';
import type { Requester } from '#kernel/requester';
import { ADDRESS_INVITATIONS, type AddressInvitations, type AskedAddress } from '../address-invitations.js';
import type { CreateRoomOptions } from '../decide/new-room-events.js';
import { CreateRoom, type RoomCreated } from './create-room.js';
import { InviteAddress } from './invite-address.js';

/** Each is a mail. */
const MOST_ADDRESSES = 10;

/**
 * Begins a room as `CreateRoom`, and asks people into it who are known by their addresses: client-server API, "Creation", `invite_3pid`. The room has
 * begun, and whoever cannot be asked then can be later. Throws as `CreateRoom`, and before it begins as `AddressInvitations.check`.
 */
export class BeginRoom {
  constructor(
    readonly requester: Requester,
    readonly options: CreateRoomOptions,
    readonly addresses: readonly AskedAddress[],
  ) {}
}

@CommandHandler(BeginRoom)
export class BeginRoomHandler implements ICommandHandler<BeginRoom> {
  readonly #log = new Logger('rooms');

  constructor(
    private readonly commands: CommandBus,
    @Optional() @Inject(ADDRESS_INVITATIONS) private readonly invitations?: AddressInvitations,
  ) {}

  async execute({ requester, options, addresses }: BeginRoom): Promise<RoomCreated> {
    if (addresses.length > 0 && this.invitations === undefined) {
      throw new MatrixError('M_FORBIDDEN', 'This server invites nobody by an address');
    }
    if (addresses.length > MOST_ADDRESSES) {
      throw new MatrixError('M_INVALID_PARAM', `invite_3pid: ${MOST_ADDRESSES} at most`);
    }
    for (const asked of addresses) this.invitations?.check(asked);
    const created: RoomCreated = await this.commands.execute(new CreateRoom(requester, options));
    const away = new Set<string>();
    for (const asked of addresses) {
      // Whoever creates the room waits: once for an identity server that does not answer, and not for each of those it is to know.
      if (away.has(asked.idServer)) continue;
      try {
        await this.commands.execute(
          new InviteAddress(requester, created.roomId, asked, undefined, options.is_direct === true),
        );
      } catch (error) {
        const mayBe = error instanceof MatrixError || error instanceof PeerRefused || error instanceof PeerUnavailable;
        if (!mayBe) throw error;
        if (error instanceof PeerUnavailable) away.add(asked.idServer);
        const reason = error instanceof MatrixError ? error.message : reasonOf(error);
        this.#log.warn(`somebody could not be invited to ${created.roomId} by their address: ${reason}`);
      }
    }
    return created;
  }
}
