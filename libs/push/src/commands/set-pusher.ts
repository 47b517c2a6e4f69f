import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { DeviceId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { MailPushers } from '../digests/mail-pusher.js';
import { decidePusher, type WantedPusher } from '../pushers/decide-pushers.js';
import { Pushers } from '../pushers.js';
import { listUsersOfPusher } from '../queries/list-pushers.js';

/**
 * Sets a pusher of the requester's. Those that other users have by the same name are taken from them by what follows from the fact, unless
 * `append` says that they stay. Throws M_USER_LIMIT_EXCEEDED; for one that mails M_THREEPID_NOT_FOUND where the address is none that the
 * requester has shown to be theirs, and M_THREEPID_MEDIUM_NOT_SUPPORTED where this server sends no mails.
 */
export class SetPusher extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly pusher: Omit<WantedPusher, 'device_id'>,
    readonly how: { readonly append: boolean; readonly named?: DeviceId | undefined },
  ) {
    super();
  }
}

@CommandHandler(SetPusher)
export class SetPusherHandler implements ICommandHandler<SetPusher> {
  constructor(
    private readonly pushers: Pushers,
    @Inject(VIEWS) private readonly views: Views,
    private readonly mails: MailPushers,
    @Inject(CONFIG) private readonly config: Pick<Config, 'mail'>,
  ) {}

  async execute({ requester, pusher, how: { append, named } }: SetPusher): Promise<void> {
    const { userId, deviceId, requestId } = requester;
    if (pusher.kind === 'email') {
      if (this.config.mail === undefined)
        throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'kind: this server sends no mails');
      await this.mails.checkOwnAddress(userId, pusher);
    }
    const users = append ? [] : await listUsersOfPusher(this.views, pusher);
    const isShared = users.some((user) => user !== userId);
    const wanted = { ...pusher, device_id: deviceId };
    await this.pushers.change(userId, { actor: userId, device: deviceId, correlation: requestId }, (known, now) =>
      decidePusher(known, wanted, { now, alone: !append, isShared, named }),
    );
  }
}
