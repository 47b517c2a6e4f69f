import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Accounts } from '#accounts/accounts';
import { hashSecret } from '#accounts/credentials/secrets';
import type { UpstreamSession } from '#accounts/facts/login-facts';
import { hasEndedSince } from '#accounts/sessions/upstream-ends';
import { CONFIG, type Config } from '#config/config';
import { BrowserCookie } from '#http/browser/browser-cookie';
import { FORM_TOKEN, FormTokens } from '#http/browser/form-tokens';
import { type Form, readForm } from '#http/browser/read-form';
import { CLOCK, type Clock } from '#kernel/clock';
import { isUserId, localpartOf, type UserId } from '#kernel/ids';
import { userLocked } from '#kernel/user-locked';
import { decideSignOut } from '../decide/sign-ins.js';
import { KeptSignIns } from '../sign-ins.js';

/** How long a browser stays signed in. What could do harm asks for the password besides. */
const SIGNED_IN_SECONDS = 7 * 24 * 60 * 60;
/** Of a browser that nobody is signed in with the cookie serves its forms alone. */
const ANONYMOUS_SECONDS = 24 * 60 * 60;

/** A browser, by its cookie, and who is signed in there. */
export interface Browser {
  readonly cookie: string;
  /** The field that shows of a form that it was made for this browser: to be put into each. */
  readonly formToken: string;
  readonly userId: UserId | undefined;
  /** By which provider of accounts they signed in, and in which session there. */
  readonly upstream?: UpstreamSession;
}

interface SignedIn {
  readonly userId: UserId;
  readonly upstream?: UpstreamSession;
}

/** Who somebody has shown to be; where it was by a password, the hash that it was checked against, and else the provider. */
export interface Shown {
  readonly userId: UserId;
  readonly passwordHash?: string;
  readonly upstream?: UpstreamSession;
}

/**
 * Where people are signed in with their browsers: to the pages of this server, not to the API. The cookie holds a secret, of which the
 * log has the hash; with each sign-in it is another, so nobody can have a browser signed in with a cookie that they know.
 */
@Injectable()
export class Browsers {
  readonly #cookie: BrowserCookie;

  constructor(
    private readonly accounts: Accounts,
    private readonly signIns: KeptSignIns,
    private readonly tokens: FormTokens,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'publicUrl'>,
  ) {
    this.#cookie = new BrowserCookie('annals', config.publicUrl);
  }

  /** The browser that a request comes from; one that has no cookie, or one that is no more good, gets another. */
  async of(request: FastifyRequest, reply: FastifyReply): Promise<Browser> {
    const cookie = this.#cookie.find(request);
    const signedIn = cookie === undefined ? undefined : await this.#find(cookie);
    if (cookie !== undefined && (signedIn !== undefined || cookie.startsWith('-.')))
      return this.#browser(cookie, signedIn);
    const fresh = `-.${randomBytes(18).toString('base64url')}`;
    this.#cookie.put(reply, fresh, ANONYMOUS_SECONDS);
    return this.#browser(fresh, undefined);
  }

  /** The browser that sent a form, and the form. Throws M_FORBIDDEN where it was not made for this browser, and as `readForm`. */
  async formOf(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<{ readonly browser: Browser; readonly form: Form }> {
    const form = readForm(request);
    this.tokens.check(request, this.#cookie.find(request), form.get(FORM_TOKEN));
    return { browser: await this.of(request, reply), form };
  }

  /**
   * Signs somebody in who has shown who they are: by the password with this hash, or by other means. Answers whether they are, which they
   * are not where it is another password by now, they have logged out at the provider since, or the account is locked, or gone.
   */
  async signIn(reply: FastifyReply, { userId, passwordHash, upstream }: Shown, requestId: string): Promise<boolean> {
    const secret = randomBytes(32).toString('base64url');
    const account = await this.accounts.load(userId);
    if (!account.exists || account.deactivated || account.guest || account.locked) return false;
    if (passwordHash !== undefined && account.passwordHash !== passwordHash) return false;
    const { passwordAt, loggedOutAt } = account;
    const signedIn = {
      browser: hashSecret(secret),
      expires_at: this.clock.now() + SIGNED_IN_SECONDS * 1000,
      ...(passwordAt === undefined ? {} : { password_at: passwordAt }),
      ...(loggedOutAt === undefined ? {} : { logged_out_at: loggedOutAt }),
      ...(upstream === undefined ? {} : { upstream }),
    };
    await this.signIns.change(userId, () => [{ type: 'browser-signed-in', data: signedIn }], requestId);
    // A log-out is noted in the account before browsers are signed out: whichever of the two came first, the other one sees it.
    if (hasEndedSince(await this.accounts.load(userId), upstream)) {
      await this.signIns.change(userId, (state) => decideSignOut(state, signedIn.browser), requestId);
      return false;
    }
    const localpart = Buffer.from(localpartOf(userId)).toString('base64url');
    this.#cookie.put(reply, `${localpart}.${secret}`, SIGNED_IN_SECONDS);
    return true;
  }

  /** What somebody is told who has shown who they are, and is not signed in: that their account is locked, as other log-ins say, or else `otherwise`. */
  async refusalOf(userId: UserId, otherwise: string): Promise<string> {
    return (await this.accounts.load(userId)).locked ? userLocked().message : otherwise;
  }

  /** Signs who is signed in there out. */
  async signOut(reply: FastifyReply, browser: Browser, requestId: string): Promise<void> {
    this.#cookie.drop(reply);
    await this.end(browser, requestId);
  }

  /** Ends what its cookie was good for, where it has another by now. */
  async end({ cookie, userId }: Browser, requestId: string): Promise<void> {
    if (userId === undefined) return;
    const browser = hashSecret(cookie.split('.')[1] ?? '');
    await this.signIns.change(userId, (state) => decideSignOut(state, browser), requestId);
  }

  async #find(cookie: string): Promise<SignedIn | undefined> {
    const [localpart = '', secret] = cookie.split('.');
    if (secret === undefined || localpart === '-') return undefined;
    const userId = `@${Buffer.from(localpart, 'base64url').toString()}:${this.config.serverName}`;
    if (!isUserId(userId)) return undefined;
    const signedIn = (await this.signIns.of(userId)).browsers.get(hashSecret(secret));
    if (signedIn === undefined || signedIn.expires_at <= this.clock.now()) return undefined;
    const account = await this.accounts.load(userId);
    const { exists, deactivated, locked, passwordAt, loggedOutAt } = account;
    if (!exists || deactivated || locked) return undefined;
    if (passwordAt !== signedIn.password_at || loggedOutAt !== signedIn.logged_out_at) return undefined;
    const { upstream } = signedIn;
    if (hasEndedSince(account, upstream)) return undefined;
    return { userId, ...(upstream === undefined ? {} : { upstream }) };
  }

  #browser(cookie: string, signedIn: SignedIn | undefined): Browser {
    return { cookie, formToken: this.tokens.fieldFor(cookie), userId: undefined, ...signedIn };
  }
}
