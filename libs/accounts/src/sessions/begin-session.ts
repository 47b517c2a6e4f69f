import { Inject, Injectable } from '@nestjs/common';
import type { ExpectedRevision } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import type { Account } from '../decide/account.js';
import { decideLogin } from '../decide/decide-sessions.js';
import type { AccountFact } from '../facts/account-facts.js';
import type { UpstreamSession } from '../facts/login-facts.js';
import { TAKEN_DEVICE_IDS, type TakenDeviceIds, withFreeDeviceId } from '../taken-device-ids.js';
import { type IssuedTokens, type SessionOptions, issueTokens } from './issue-tokens.js';
import { checkNotEnded } from './upstream-ends.js';

export interface LoggedIn {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly tokens: IssuedTokens;
}

/** How a session begins, whoever asks for it. */
export interface NewSession {
  readonly userId: UserId;
  readonly options: SessionOptions;
  /** Throws where the account, as it is by then, may not have one on that device. */
  readonly check?: (account: Account, deviceId: DeviceId) => void;
  /** The application service, by its id, whose session it is where the account, as it is by then, is a person's and not its own. */
  readonly service?: (account: Account) => string | undefined;
  /** The provider of accounts behind it, by the account as it is by then. */
  readonly upstream?: (account: Account) => UpstreamSession | undefined;
  /** What is written together with the session, by the account as it is by then. Throws where there may be none. */
  readonly besides?: (account: Account) => readonly AccountFact[];
  readonly requestId: string | undefined;
}

/** Opens sessions, of those who have shown that they may have one. */
@Injectable()
export class BeginSession {
  constructor(
    private readonly accounts: Accounts,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(TAKEN_DEVICE_IDS) private readonly taken: TakenDeviceIds,
  ) {}

  /** Throws what `check`, `besides`, `checkNotEnded` and `decideLogin` throw; M_INVALID_PARAM for a bad device id, M_FORBIDDEN for one that is the name of a key of theirs. */
  async begin({ userId, options, check, service, upstream, besides, requestId }: NewSession): Promise<LoggedIn> {
    const { fact, deviceId, tokens } = issueTokens(options, this.clock.now());
    const change = (isAsSeen: (revision: ExpectedRevision) => void): Promise<unknown> =>
      this.accounts.change(
        userId,
        (account, revision) => {
          check?.(account, deviceId);
          isAsSeen(revision);
          const [openedBy, shownAt] = [service?.(account), upstream?.(account)];
          checkNotEnded(account, shownAt);
          const first = besides?.(account) ?? [];
          const login = {
            ...fact,
            ...(openedBy === undefined ? {} : { service: openedBy }),
            ...(shownAt === undefined ? {} : { upstream: shownAt }),
          };
          return [...first, ...decideLogin(account, login)];
        },
        { actor: userId, device: deviceId, correlation: requestId },
      );
    // What is made up here is the name of no key.
    if (options.deviceId === undefined) await change(() => {});
    else await withFreeDeviceId(this.taken, userId, deviceId, change);
    return { userId, deviceId, tokens };
  }
}
