import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import { CLOCK, type Clock } from '#kernel/clock';
import { localpartOf, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { checkNotOwn } from '../check-not-own.js';
import type { Account } from '../decide/account.js';
import { isLinked } from '../decide/decide-external-ids.js';
import { decideProvision, type Provision, removedThreepids } from '../decide/decide-provision.js';
import { externalIdHash } from '../facts/external-id-facts.js';
import { OutsideClaims } from '../outside-claims.js';
import { Reopening } from '../reopening.js';
import { NewPasswords } from '../sessions/new-passwords.js';
import { type Threepid, threepidKey } from '../threepids/threepid.js';
import { newUserId } from '../user-ids.js';

/** What somebody who looks after accounts wants one to be; what is left out stays as it is. */
export interface ProvidedAccount extends Omit<Provision, 'passwordHash' | 'over'> {
  readonly password?: string | undefined;
}

/**
 * Makes an account, or has one be something else: all of it in one write, or nothing. Answers whether it is new. Throws M_INVALID_USERNAME,
 * M_WEAK_PASSWORD, M_INVALID_PARAM, M_THREEPID_IN_USE; M_FORBIDDEN where an account elsewhere is somebody else's, where no password counts
 * here, and to who would close their own account or be an administrator no more; M_MISSING_PARAM where one that was closed is opened again without
 * a password, unless an application service made it, its user comes by an account elsewhere, or none counts here; and as `decideProvision` and `Reopening.prepare`.
 */
export class ProvideAccount extends Command<boolean> {
  constructor(
    readonly userId: UserId,
    readonly wanted: ProvidedAccount,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(ProvideAccount)
export class ProvideAccountHandler implements ICommandHandler<ProvideAccount> {
  constructor(
    private readonly accounts: Accounts,
    private readonly claims: OutsideClaims,
    private readonly passwords: NewPasswords,
    private readonly reopening: Reopening,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ userId, wanted, cause }: ProvideAccount): Promise<boolean> {
    checkOwn(userId, wanted, cause);
    const known = await this.accounts.load(userId);
    if (!known.exists && newUserId(localpartOf(userId), serverNameOf(userId)) !== userId) {
      throw new MatrixError('M_INVALID_USERNAME');
    }
    const isReopened = wanted.isClosed === false && known.deactivated;
    const comesOtherwise = !this.passwords.count || known.byService || comesByAnother(known, wanted);
    if (isReopened && wanted.password === undefined && !comesOtherwise)
      throw new MatrixError('M_MISSING_PARAM', 'A password is needed to open the account again');
    const provision = { ...(await this.#provision(wanted)), over: known.closedAt };
    const decide = (account: Account) => decideProvision(account, userId, provision, this.clock.now());
    // What is refused is refused before anything is claimed.
    decide(known);
    if (isReopened) await this.reopening.prepare(userId, known);
    let removed: Threepid[] = [];
    let isNew = false;
    const { position } = await this.claims.change(
      userId,
      (account) => newOf(account, wanted),
      (account) => {
        isNew = !account.exists;
        removed = goneOf(account, wanted);
        return decide(account);
      },
      cause,
    );
    await this.claims.release(removed, userId, position);
    return isNew;
  }

  async #provision({ password, ...wanted }: ProvidedAccount): Promise<Provision> {
    return { ...wanted, passwordHash: password === undefined ? undefined : await this.passwords.hash(password) };
  }
}

/** Nobody is left without an administrator by a slip of theirs: the operator of the server can take that away. */
function checkOwn(userId: UserId, { admin, isClosed }: ProvidedAccount, cause: Cause): void {
  if (isClosed === true) checkNotOwn(userId, cause);
  if (admin === false && cause.actor === userId)
    throw new MatrixError('M_FORBIDDEN', 'This is not for yourself to take away');
}

/** Whether somebody comes in by an account elsewhere. */
function comesByAnother({ erased, externalIds = [] }: Account, wanted: ProvidedAccount): boolean {
  const theirs = wanted.externalIds ?? (erased === true ? [] : externalIds);
  return theirs.length > 0;
}

function newOf(account: Account, wanted: ProvidedAccount) {
  const { threepids, erased } = account;
  return {
    threepids: (wanted.threepids ?? []).filter((threepid) => !threepids.has(threepidKey(threepid))),
    // Those of who was erased are anybody's, and not theirs once the account is open again.
    externalIds: (wanted.externalIds ?? []).filter((id) => erased === true || !isLinked(account, externalIdHash(id))),
  };
}

/** The identifiers that are the account's no more. */
function goneOf(account: Account, { threepids, isClosed }: ProvidedAccount): Threepid[] {
  if (isClosed === true) return removedThreepids(account, []);
  return threepids === undefined ? [] : removedThreepids(account, threepids);
}
