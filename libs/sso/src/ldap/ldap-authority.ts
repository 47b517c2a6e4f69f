import { Inject, Injectable, Logger } from '@nestjs/common';
import { ExternalIds } from '#accounts/external-ids';
import { PasswordAuthorities, type PasswordAuthority, TooManyGuesses } from '#accounts/sessions/password-authorities';
import { CONFIG, type Config } from '#config/config';
import type { AccountRules } from '#config/sso/account-rules';
import type { LdapDirectory } from '#config/sso/ldap-directory';
import { readLdapDirectory } from '#config/sso/read-ldap-directory';
import { RateLimits } from '#http/rate-limits';
import { localpartOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import { AdmitOutsider, OF_NAMES } from '../admission/admit-outsider.js';
import { ApplyGroups } from '../admission/apply-groups.js';
import { localpartOfName, nameOfLocalpart } from '../admission/localpart-of.js';
import { MOST_NAME, type Outsider } from '../admission/outsider.js';
import { LdapPeople, type LdapPerson } from './ldap-people.js';

/** Whose accounts elsewhere these are. */
export const LDAP = 'ldap';

/** The directory as somebody who knows passwords: who shows theirs for the first time gets an account, which has none of its own. */
@Injectable()
export class LdapAuthority implements PasswordAuthority {
  readonly #log = new Logger('sso');
  readonly #directory: LdapDirectory | undefined;
  readonly #people: LdapPeople | undefined;

  /** Throws ConfigError where the file of the directory is not as it must be. */
  constructor(
    authorities: PasswordAuthorities,
    private readonly admission: AdmitOutsider,
    private readonly groups: ApplyGroups,
    private readonly externalIds: ExternalIds,
    limits: RateLimits,
    @Inject(CONFIG) config: Pick<Config, 'sso'>,
  ) {
    this.#directory = readLdapDirectory(config.sso);
    if (this.#directory === undefined) return;
    // One entry may have many names: by those of accounts each would have its own guesses.
    const countedAs = (dn: string): string => `${LDAP} ${dn}`;
    this.#people = new LdapPeople(this.#directory, {
      check: (dn) => checkGuesses(limits, countedAs(dn)),
      giveBack: (dn) => limits.giveBack('password', countedAs(dn)),
    });
    authorities.add(this);
  }

  async isFor(userId: UserId): Promise<boolean> {
    return (await this.externalIds.providersOf(userId)).has(LDAP);
  }

  /** Throws M_UNKNOWN with status 502 where the directory does not answer, M_LIMIT_EXCEEDED, and as `admit`. */
  async verify(userId: UserId, password: string): Promise<UserId | undefined> {
    const person = await this.#ask(nameOfLocalpart(localpartOf(userId)), password);
    return person === undefined ? undefined : this.#admit(person);
  }

  async #ask(user: string, password: string): Promise<LdapPerson | undefined> {
    try {
      return await this.#people?.find(user, password);
    } catch (error) {
      if (error instanceof MatrixError) throw error;
      this.#log.warn(`The directory does not answer as it must: ${messageOf(error)}`);
      throw new MatrixError('M_UNKNOWN', 'The directory of users does not answer', { status: 502 });
    }
  }

  async #admit({ id, userName, displayName, email, groups }: LdapPerson): Promise<UserId | undefined> {
    const { rules } = this.#directory!; // It was asked.
    const outsider = {
      id: { provider: LDAP, subject: id },
      userName: localpartOfName(userName),
      ...(displayName === undefined ? {} : { displayName: [...displayName].slice(0, MOST_NAME).join('') }),
      ...(email === undefined ? {} : { email }),
    };
    const userId = await this.#accountOf(outsider, rules);
    if (userId !== undefined && groups !== undefined) {
      await this.groups.apply({ userId, provider: LDAP, groups, rules, requestId: undefined });
    }
    return userId;
  }

  async #accountOf(outsider: Outsider, rules: AccountRules): Promise<UserId | undefined> {
    try {
      return (await this.admission.admit(outsider, { rules, userName: 'given', requestId: undefined })).userId;
    } catch (error) {
      const isOfName = error instanceof MatrixError && OF_NAMES.has(error.errcode);
      if (!isOfName) throw error;
      throw new MatrixError('M_FORBIDDEN', 'Your name in the directory is somebody else’s here, or can be none here');
    }
  }
}

/** Throws TooManyGuesses. */
function checkGuesses(limits: RateLimits, countedAs: string): void {
  try {
    limits.check('password', countedAs);
  } catch (error) {
    throw error instanceof MatrixError ? new TooManyGuesses(error) : error;
  }
}
