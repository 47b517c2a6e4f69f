import { Inject } from '@nestjs/common';
import { Command, CommandHandler, CommandBus, type ICommandHandler } from '@nestjs/cqrs';
import { findAccount } from '#accounts/queries/find-account';
import { CONFIG, type Config } from '#config/config';
import type { NoticesConfig } from '#config/notices-config';
import { type DeviceId, type EventId, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { SendEvent } from '#rooms/commands/send-event';
import { SetState } from '#rooms/commands/set-state';
import type { EventSent } from '#rooms/commands/transaction';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { findStateRow } from '#rooms/queries/state-rows';
import { NoticeRooms } from '../notices/notice-rooms.js';

const PINNED = 'm.room.pinned_events';

/** What a user is to be told. */
export interface Notice {
  readonly type: string;
  /** Of state events alone. */
  readonly stateKey?: string;
  readonly content: JsonObject;
}

/** Who has a notice sent: their device is noted with the event. */
export interface NoticeSender {
  readonly userId?: UserId;
  readonly deviceId?: DeviceId;
  readonly requestId: string;
}

export interface NoticeSent {
  readonly roomId: RoomId;
  readonly eventId: EventId;
}

/**
 * Tells a user of this server something in its name, in their notices room, which begins with the first one: client-server API, module "Server
 * Notices". The same notice under one transaction id of one sender is sent once, whatever crashes. Throws M_UNKNOWN where the operator has
 * chosen no notices user, M_NOT_FOUND where there is no such user here, and as `SendEvent` and `SetState`.
 */
export class SendNotice extends Command<NoticeSent> {
  constructor(
    readonly by: NoticeSender,
    readonly to: UserId,
    readonly notice: Notice,
    readonly txnId?: string,
  ) {
    super();
  }
}

@CommandHandler(SendNotice)
export class SendNoticeHandler implements ICommandHandler<SendNotice> {
  /** Of one user one at a time: the room is begun once. */
  readonly #users = new KeyedQueue<UserId>();

  constructor(
    private readonly rooms: NoticeRooms,
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'notices' | 'serverName'>,
  ) {}

  async execute({ by, to, notice, txnId }: SendNotice): Promise<NoticeSent> {
    const { notices, serverName } = this.config;
    if (notices === undefined)
      throw new MatrixError('M_UNKNOWN', 'Server notices are not enabled on this server', { status: 400 });
    const account = serverNameOf(to) === serverName ? await findAccount(this.views, to) : undefined;
    if (account === undefined || account.deactivated === true || to === notices.userId)
      throw new MatrixError('M_NOT_FOUND', 'No such user here');
    const as: Requester = {
      userId: notices.userId,
      deviceId: [by.userId, by.deviceId].join('|') as DeviceId,
      isAdmin: false,
      requestId: by.requestId,
    };
    return this.#users.run(to, async () => {
      const roomId = await this.rooms.open(to, notices, as);
      const { type, stateKey, content } = notice;
      const { eventId } = await this.commands.execute<object, EventSent>(
        stateKey === undefined
          ? new SendEvent(as, roomId, type, content, txnId)
          : new SetState(as, roomId, type, stateKey, content, { txnId }),
      );
      if (type === PINNED) await this.#unpinBefore(to, roomId, notices, as);
      return { roomId, eventId };
    });
  }

  /** "Active notices are represented by the pinned events in the server notices room", and clients look into all that are tagged so. */
  async #unpinBefore(to: UserId, roomId: RoomId, notices: NoticesConfig, as: Requester): Promise<void> {
    for await (const earlier of this.rooms.before(to, roomId, notices)) {
      const row = await findStateRow(this.views, earlier, PINNED, '');
      const pinned = row && contentOfRow(row)['pinned'];
      if (Array.isArray(pinned) && pinned.length > 0)
        await this.commands.execute(new SetState(as, earlier, PINNED, '', { pinned: [] }));
    }
  }
}
