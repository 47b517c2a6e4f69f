import { Injectable } from '@nestjs/common';
import { RateLimits } from '#http/rate-limits';
import { escapeHtml } from '#kernel/escape-html';
import type { UserId } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { askedFor, askedForAccount, wordsForOperation } from '../../pages/operation-words.js';
import { stagePage } from '../../pages/stage-page.js';
import { PasswordCheck } from '../../sessions/password-check.js';
import type { AuthSession, Operation, Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import { PASSED, type PageContext, type Passage, type Stage, type StageView, type Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

const passwordField = (hint: 'current-password' | 'new-password'): string =>
  '<label for="password">Password</label>' +
  `<input id="password" name="password" type="password" autocomplete="${hint}" required>`;
const USER =
  '<label for="user">User name</label>' +
  '<input id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="255" required>';

/** What each page asks for. */
const FORMS = {
  login: { title: 'Log in', fields: USER + passwordField('current-password'), action: 'Log in' },
  registration: {
    title: 'Choose a user name',
    fields: USER + passwordField('new-password'),
    action: 'Create the account',
  },
};

/** Who was led to the page by a link alone, of somebody who has a token of theirs, reads here what the password is for. */
function confirmationFields({ name, userId }: Operation): string {
  const what = `${wordsForOperation(name)} <strong>${escapeHtml(userId ?? '')}</strong>`;
  return askedFor(what) + passwordField('current-password');
}

/** `m.login.password`: of the account that asks; in the registration of 2015, with which one is chosen, whatever it is. */
@Injectable()
export class PasswordStage implements Stage {
  readonly type = 'm.login.password';
  readonly rank = 50;
  readonly way = 'a password';

  constructor(
    registry: StageRegistry,
    private readonly passwords: PasswordCheck,
    private readonly limits: RateLimits,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose): Standing | undefined {
    return purpose === 'login' || purpose === 'confirmation' ? 'alternative' : undefined;
  }

  isFor(userId: UserId): Promise<boolean> {
    return this.passwords.isFor(userId);
  }

  /**
   * Throws M_FORBIDDEN where it is not the account that asks which is named: 403 and no 401, for 401 is "but the client may make a second attempt", and this is no attempt at the stage
   * (Synapse and SyTest have it so). Nobody looks at the password then: whoever has a token of one account is not told by it whether passwords of others are right. Throws
   * M_LIMIT_EXCEEDED where it was tried too often, whatever the door.
   */
  async pass(auth: JsonObject, session: AuthSession): Promise<Passage> {
    const { purpose, userId } = session.operation;
    if (purpose === 'registration') return this.#chosen(auth);
    if (purpose === 'login') return this.#logIn(auth, session);
    // Very old clients leave out who they are: the access token says it.
    const named = auth['user'] !== undefined || isJsonObject(auth['identifier']);
    const claim = await this.passwords.parseClaim(named ? auth : { ...auth, user: userId });
    if (claim.userId !== userId) throw new MatrixError('M_FORBIDDEN', 'This is not the account that asks');
    this.limits.check('login', `the password of ${userId}`);
    if ((await this.passwords.verify(claim))?.userId !== userId)
      throw new StageFailed('M_FORBIDDEN', 'Invalid password');
    return PASSED;
  }

  view({ session: { operation }, problem }: PageContext): StageView {
    const { purpose } = operation;
    if (purpose === 'login' || purpose === 'registration') {
      const { fields, ...form } = FORMS[purpose];
      const what = askedForAccount(operation, 'a name and a password of your choice');
      return { page: stagePage({ ...form, fields: what + fields, problem }) };
    }
    return {
      page: stagePage({ title: 'Please confirm your password', fields: confirmationFields(operation), problem }),
    };
  }

  async #logIn(auth: JsonObject, { learnt }: AuthSession): Promise<Passage> {
    const claim = await this.passwords.parseClaim(auth);
    const verified = await this.passwords.verify(claim);
    const isOther = learnt.userId !== undefined && learnt.userId !== verified?.userId;
    if (verified === undefined || isOther) throw new StageFailed('M_FORBIDDEN', 'Unknown user or wrong password');
    return { isComplete: true, learnt: verified };
  }

  #chosen({ password }: JsonObject): Passage {
    if (password === undefined) throw new MatrixError('M_MISSING_PARAM', 'password: required');
    if (typeof password !== 'string') throw new MatrixError('M_BAD_JSON', 'password: must be a string');
    return PASSED;
  }
}
