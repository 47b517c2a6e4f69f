import { isSameSecret } from '#kernel/is-same-secret';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { localpartOf } from '#kernel/ids';
import { AdmitOutsider, type Admission } from './admission/admit-outsider.js';
import { ApplyGroups } from './admission/apply-groups.js';
import { type Outsider, outsiderOf } from './admission/outsider.js';
import type { Purpose, Shown } from './attempts/attempt.js';
import { Attempts, newAttemptId, newSecret, notHere } from './attempts/attempts.js';
import { type Asking, UpstreamClients } from './upstream/upstream-clients.js';
import { UpstreamProviders } from './upstream-providers.js';

/** What a page tells of an attempt to come back to it: in its link or its form. */
export interface PageOf {
  readonly id: string;
  readonly key: string;
}

/** How far somebody has come who is back from a provider. */
export type Progress =
  | { readonly step: 'naming'; readonly page: PageOf; readonly proposed: string; readonly problem?: string }
  | ({ readonly step: 'shown'; readonly page: PageOf } & Pick<Shown, 'userId' | 'purpose' | 'upstream'>);

/** Logs people in who have their account at a provider: from the first link to whose account here that is. */
@Injectable()
export class UpstreamLogins {
  constructor(
    private readonly providers: UpstreamProviders,
    private readonly clients: UpstreamClients,
    private readonly attempts: Attempts,
    private readonly admission: AdmitOutsider,
    private readonly groups: ApplyGroups,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
  ) {}

  /**
   * Begins one in the browser that is answered, and answers where it has to go. Throws M_NOT_FOUND for a provider that there is not, M_UNKNOWN
   * with status 502 where it does not answer, M_TOO_LARGE.
   */
  async begin(reply: FastifyReply, providerId: string, purpose: Purpose, asking: Asking = {}): Promise<string> {
    const provider = this.providers.get(providerId);
    const id = newAttemptId();
    // The state tells which of the attempts of a browser it is, and is a secret of that browser besides.
    const secrets = { state: `${id}${newSecret()}`, nonce: newSecret(), verifier: newSecret() };
    const url = await this.clients.authorisationUrl(provider, secrets, asking);
    const { anewSince } = asking;
    this.attempts.keep(reply, id, { step: 'begun', provider: providerId, secrets, purpose, anewSince });
    return url.href;
  }

  /** What somebody is away for, or chooses a name for, in this browser; undefined where there is nothing such. */
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
    const { provider: asked, secrets, purpose, anewSince } = this.attempts.get(request, id, 'begun');
    // What one provider says is never taken for the word of another.
    if (asked !== providerId || !isSameSecret(state, secrets.state)) throw notHere();
    this.attempts.end(reply, id);
    const provider = this.providers.get(providerId);
    const outsider = outsiderOf(provider, await this.clients.claimsOf(provider, query, secrets, anewSince));
    return this.#goOn(reply, { id, outsider, purpose }, request.id);
  }

  /** Whoever had to choose a name has chosen one. Throws as `comeBack`. */
  async choose(request: FastifyRequest, reply: FastifyReply, page: PageOf, chosen: string): Promise<Progress> {
    const { outsider, purpose } = this.attempts.getByKey(request, page, 'naming');
    return this.#goOn(reply, { id: page.id, outsider, purpose }, request.id, chosen);
  }

  /** The URL of a path of this server to which somebody comes back who has shown who they are: it takes that by the `id` and `key` of its query. */
  returnUrl(path: string, page: PageOf): string {
    const url = new URL(`${this.config.publicUrl}${path.startsWith('/') ? path : `/${path}`}`);
    for (const [name, value] of Object.entries(page)) url.searchParams.set(name, value);
    return url.href;
  }

  /** Who it is who has come back so. The attempt ends. Throws M_FORBIDDEN as `comeBack`. */
  take(request: FastifyRequest, reply: FastifyReply, page: PageOf): Shown {
    const shown = this.attempts.getByKey(request, page, 'shown');
    this.attempts.end(reply, page.id);
    return shown;
  }

  async #goOn(
    reply: FastifyReply,
    { id, outsider, purpose }: { readonly id: string; readonly outsider: Outsider; readonly purpose: Purpose },
    requestId: string,
    chosen?: string,
  ): Promise<Progress> {
    const { rules, userName } = this.providers.get(outsider.id.provider);
    const page = { id, key: newSecret() };
    const admission: Admission = { rules, userName, requestId, chosen, ...wishesOf(purpose) };
    const admitted = await this.admission.admit(outsider, admission);
    if (admitted.userId === undefined) {
      this.attempts.keep(reply, id, { step: 'naming', outsider, purpose, key: page.key });
      return { step: 'naming', page, ...admitted };
    }
    const { userId } = admitted;
    const {
      groups,
      id: { provider },
    } = outsider;
    if (groups !== undefined && purpose.kind !== 'stage')
      await this.groups.apply({ userId, provider, groups, rules, requestId });
    const { sidHash } = outsider;
    const upstream = { provider, ...(sidHash === undefined ? {} : { sid_hash: sidHash }) };
    this.attempts.keep(reply, id, { step: 'shown', userId, upstream, purpose, key: page.key });
    return { step: 'shown', page, userId, upstream, purpose };
  }
}

/** The state of a question begins with the id of its attempt. */
export function idOfState(state: string): string {
  return state.slice(0, newAttemptId().length);
}

function wishesOf(purpose: Purpose): Pick<Admission, 'mustBe' | 'isRegistration' | 'wished' | 'registrationToken'> {
  if (purpose.kind === 'stage') return { mustBe: purpose.userId };
  if (purpose.kind !== 'v1') return {};
  const { user, registrationToken } = purpose;
  if (purpose.registers !== true) return user === undefined ? {} : { mustBe: user };
  return { isRegistration: true, registrationToken, ...(user === undefined ? {} : { wished: localpartOf(user) }) };
}
