import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import type { DeviceId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Cause } from '#event-store/aggregates';
import { Accounts, causeOf } from '../accounts.js';
import { decideDevice } from '../decide/decide-sessions.js';
import { issueTokens } from '../sessions/issue-tokens.js';
import { TAKEN_DEVICE_IDS, type TakenDeviceIds, withFreeDeviceId } from '../taken-device-ids.js';

/**
 * Makes a device without a session, for an application service that acts on it by its own token (application service API, "Creating
 * devices"), or by the word of who looks after accounts. Answers whether it was new: one that is there stays as it is. Throws as `decideDevice`,
 * and M_FORBIDDEN for the name of a key of theirs.
 */
export class CreateDevice extends Command<boolean> {
  constructor(
    readonly requester: Requester,
    readonly deviceId: DeviceId,
    readonly displayName: string | undefined,
    readonly cause: Cause = causeOf(requester),
  ) {
    super();
  }
}

@CommandHandler(CreateDevice)
export class CreateDeviceHandler implements ICommandHandler<CreateDevice> {
  constructor(
    private readonly accounts: Accounts,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(TAKEN_DEVICE_IDS) private readonly taken: TakenDeviceIds,
  ) {}

  async execute({ requester, deviceId, displayName, cause }: CreateDevice): Promise<boolean> {
    // Of a token that nobody is told.
    const { fact } = issueTokens({ deviceId, initialDeviceDisplayName: displayName }, this.clock.now());
    const { changed } = await withFreeDeviceId(this.taken, requester.userId, deviceId, (isAsSeen) =>
      this.accounts.change(
        requester.userId,
        (account, revision) => {
          isAsSeen(revision);
          return account.devices.has(deviceId) ? [] : decideDevice(account, fact);
        },
        cause,
      ),
    );
    return changed;
  }
}
