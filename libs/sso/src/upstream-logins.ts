import { isSameSecret } from '#kernel/is-same-secret';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UpstreamSession } from '#accounts/facts/login-facts';
import { ALL_OF_IT } from '#accounts/pages/terms-fields';
import type { Form } from '#http/browser/read-form';
import { localpartOf } from '#kernel/ids';
import { AdmitOutsider, type Admission, type Asked } from './admission/admit-outsider.js';
import { ApplyGroups } from './admission/apply-groups.js';
import { type Given, TakeAnswers } from './admission/given.js';
import { type Outsider, outsiderOf } from './admission/outsider.js';
import { UpstreamSessions } from './admission/upstream-sessions.js';
import type { Purpose, Shown } from './attempts/attempt.js';
import { Attempts, notHere } from './attempts/attempts.js';
import { newAttemptId, newSecret } from './attempts/secrets.js';
import { shownSince } from './upstream/shown-since.js';
import { type Asking, UpstreamClients } from './upstream/upstream-clients.js';

/** What a page tells of an attempt to come back to it: in its link or its form. */
export interface PageOf {
  readonly id: string;
  readonly key: string;
}

/** What a page asks for. `mailTo`, `textTo`: where a mail, and a message, is on its way to. */
export interface Questions extends Asked {
  readonly mailTo?: string;
  readonly textTo?: string;
}

/** How far somebody has come who is back from a provider. */
export type Progress =
  | { readonly step: 'asking'; readonly page: PageOf; readonly asks: Questions }
  | ({ readonly step: 'shown'; readonly page: PageOf } & Pick<Shown, 'userId' | 'purpose' | 'upstream'>);

/** Somebody whom a provider has told of, on their way. */
interface OnTheWay {
  readonly id: string;
  readonly outsider: Outsider;
  readonly purpose: Purpose;
  readonly given: Given;
  /** When they have shown who they are, at the earliest (`shownSince`), in milliseconds since the epoch. */
  readonly shownAt: number;
}

/** So long after that somebody may be asked for more: behind it nobody would know any more of a log-out at the provider. */
const MOST_ASKED_MS = 60 * 60 * 1000;

/** Logs people in who have their account at a provider: from the first link to whose account here that is. */
@Injectable()
export class UpstreamLogins {
  constructor(
    private readonly clients: UpstreamClients,
    private readonly attempts: Attempts,
    private readonly admission: AdmitOutsider,
    private readonly answers: TakeAnswers,
    private readonly groups: ApplyGroups,
    private readonly sessions: UpstreamSessions,
  ) {}

  /**
   * Begins one in the browser that is answered, and answers where it has to go. Throws M_NOT_FOUND for a provider that there is not, M_UNKNOWN
   * with status 502 where it does not answer, M_TOO_LARGE.
   */
  async begin(reply: FastifyReply, providerId: string, purpose: Purpose, asking: Asking = {}): Promise<string> {
    const provider = this.clients.providers.get(providerId);
    const id = newAttemptId();
    // The state tells which of the attempts of a browser it is, and is a secret of that browser besides.
    const secrets = { state: `${id}${newSecret()}`, nonce: newSecret(), verifier: newSecret() };
    const url = await this.clients.authorisationUrl(provider, secrets, asking);
    const { anewSince } = asking;
    const begunAt = this.sessions.now();
    this.attempts.keep(reply, id, { step: 'begun', begunAt, provider: providerId, secrets, purpose, anewSince });
    return url.href;
  }

  /** What somebody is away for, or is asked something for, in this browser; undefined where there is nothing such. */
  purposeOf(request: FastifyRequest, id: string): Purpose | undefined {
    return this.attempts.find(request, id)?.purpose;
  }

  /** Whom a provider sent back, `query` being what it says. Throws M_FORBIDDEN where that was not begun in this browser; as `claimsOf` and `admit`. */
  async comeBack(
    request: FastifyRequest,
    reply: FastifyReply,
    providerId: string,
    query: URLSearchParams,
  ): Promise<Progress> {
    const state = query.get('state') ?? '';
    const id = idOfState(state);
    const { provider: asked, begunAt, secrets, purpose, anewSince } = this.attempts.get(request, id, 'begun');
    // What one provider says is never taken for the word of another.
    if (asked !== providerId || !isSameSecret(state, secrets.state)) throw notHere();
    this.attempts.end(reply, id);
    const provider = this.clients.providers.get(providerId);
    // They have by now: while the provider is asked who they are, they may log out there.
    const backAt = this.sessions.now();
    const claims = await this.clients.claimsOf(provider, query, secrets, anewSince);
    const [outsider, shownAt] = [outsiderOf(provider, claims), shownSince(claims, { begunAt, backAt })];
    await this.attempts.spend(secrets.state);
    return this.#goOn(reply, { id, outsider, purpose, given: {}, shownAt }, request.id);
  }

  /** Whoever was asked for something has answered. Throws as `comeBack`. */
  async answer(request: FastifyRequest, reply: FastifyReply, page: PageOf, form: Form): Promise<Progress> {
    const { given: before, key, ...onTheWay } = this.attempts.getByKey(request, page, 'asking');
    if (this.sessions.now() - onTheWay.shownAt > MOST_ASKED_MS) throw notHere();
    await this.attempts.checkNotSpent(key);
    const { given, problem = form.has('ticked') ? ALL_OF_IT : undefined } = await this.answers.take(
      before,
      form,
      request,
    );
    // Once they are taken: where they could not be, the page is good for another try.
    await this.attempts.spend(key);
    const progress = await this.#goOn(reply, { ...onTheWay, id: page.id, given }, request.id);
    if (progress.step !== 'asking') return progress;
    // That nothing was wrong with the answers, and documents are asked for again, is that not all of them were accepted.
    const { asks } = progress;
    const isWrong = problem !== ALL_OF_IT || asks.terms.length > 0;
    const told = asks.problem ?? (isWrong ? problem : undefined);
    return { ...progress, asks: { ...asks, ...(told === undefined ? {} : { problem: told }) } };
  }

  /** Who it is who has come back so. The attempt ends. Throws M_FORBIDDEN as `comeBack`, and where they have logged out at the provider meanwhile. */
  async take(request: FastifyRequest, reply: FastifyReply, page: PageOf): Promise<Shown> {
    const shown = this.attempts.getByKey(request, page, 'shown');
    this.attempts.end(reply, page.id);
    await this.attempts.spend(shown.key);
    if (await this.sessions.haveEnded(shown)) throw notHere();
    return shown;
  }

  async #goOn(reply: FastifyReply, onTheWay: OnTheWay, requestId: string): Promise<Progress> {
    const { id, outsider, purpose, given, shownAt } = onTheWay;
    const page = { id, key: newSecret() };
    const { provider } = outsider.id;
    const { sidHash, groups } = outsider;
    const ofSession = sidHash === undefined ? {} : { sid_hash: sidHash };
    const upstream: UpstreamSession = { provider, ...ofSession, shown_at: shownAt };
    const shown = { step: 'shown', upstream, purpose } as const;
    if (purpose.kind === 'link') {
      const { userId } = purpose;
      this.attempts.keep(reply, id, { ...shown, userId, links: outsider.id, key: page.key });
      return { ...shown, userId, page };
    }
    const { rules, userName } = this.clients.providers.get(provider);
    const asked = ASKS_NOTHING.has(purpose.kind) ? {} : { given };
    const admitted = await this.admission.admit(outsider, {
      rules,
      userName,
      requestId,
      ...asked,
      ...wishesOf(purpose),
    });
    if (admitted.userId === undefined) {
      this.attempts.keep(reply, id, { step: 'asking', outsider, purpose, given, shownAt, key: page.key });
      const [mailTo, textTo] = [given.mail?.email, given.text?.number];
      const sentTo = { ...(mailTo === undefined ? {} : { mailTo }), ...(textTo === undefined ? {} : { textTo }) };
      return { step: 'asking', page, asks: { ...admitted.asks, ...sentTo } };
    }
    const { userId } = admitted;
    if (asked.given !== undefined) {
      await this.sessions.begin(userId, outsider.id, upstream, requestId);
      if (await this.sessions.haveEnded({ userId, upstream }, outsider.id)) throw notHere();
      if (groups !== undefined) await this.groups.apply({ userId, provider, groups, rules, requestId });
    }
    this.attempts.keep(reply, id, { ...shown, userId, key: page.key });
    return { ...shown, userId, page };
  }
}

/** For these somebody shows no more than that it is they. */
const ASKS_NOTHING: ReadonlySet<Purpose['kind']> = new Set<Purpose['kind']>(['stage', 'confirmation']);

/** The state of a question begins with the id of its attempt. */
export function idOfState(state: string): string {
  return state.slice(0, newAttemptId().length);
}

function wishesOf(purpose: Purpose): Pick<Admission, 'mustBe' | 'isRegistration' | 'wished' | 'registrationToken'> {
  if (purpose.kind === 'stage' || purpose.kind === 'confirmation') return { mustBe: purpose.userId };
  if (purpose.kind !== 'v1') return {};
  const { user, registrationToken } = purpose;
  if (purpose.registers !== true) return user === undefined ? {} : { mustBe: user };
  return { isRegistration: true, registrationToken, ...(user === undefined ? {} : { wished: localpartOf(user) }) };
}
