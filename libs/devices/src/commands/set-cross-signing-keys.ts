import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Accounts } from '#accounts/accounts';
import { changeAsSeen } from '#accounts/taken-device-ids';
import type { DeviceId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { readDeviceSigningKeys } from '../queries/device-signing-keys.js';
import { CrossSigning } from '../cross-signing.js';
import { publicKeyOf } from '../decide/cross-signing-keys.js';
import { decideCrossSigning } from '../decide/decide-cross-signing.js';
import type { CrossSigningKeys } from '../facts/cross-signing-facts.js';

/**
 * Publishes cross-signing keys of the requester. Answers false, and does nothing, where they have to show first who they are. Throws as
 * `decideCrossSigning`, and M_FORBIDDEN where a device of theirs has the name of a key.
 */
export class SetCrossSigningKeys extends Command<boolean> {
  constructor(
    readonly requester: Requester,
    readonly keys: CrossSigningKeys,
    readonly isAuthenticated: boolean,
  ) {
    super();
  }
}

@CommandHandler(SetCrossSigningKeys)
export class SetCrossSigningKeysHandler implements ICommandHandler<SetCrossSigningKeys> {
  constructor(
    private readonly crossSigning: CrossSigning,
    private readonly accounts: Accounts,
    @Inject(VIEWS) private readonly views: Pick<Views, 'getMany' | 'scan'>,
  ) {}

  async execute({ requester, keys, isAuthenticated }: SetCrossSigningKeys): Promise<boolean> {
    const { userId } = requester;
    const names = Object.values(keys).map((key) => publicKeyOf(key) as DeviceId); // to see that it is none
    const upload = { userId, keys, devices: await readDeviceSigningKeys(this.views, userId), isAuthenticated };
    let isDone = true;
    await changeAsSeen(
      () => this.accounts.look(userId),
      ({ state: { devices } }, isAsSeen) => {
        if (names.some((name) => devices.has(name))) throw new MatrixError('M_FORBIDDEN', 'Key ID in use');
        return this.crossSigning.change(requester, (now, revision) => {
          isAsSeen(revision);
          const decision = decideCrossSigning(now, upload);
          isDone = decision !== 'needs-authentication';
          return decision === 'needs-authentication' ? [] : decision;
        });
      },
    );
    return isDone;
  }
}
