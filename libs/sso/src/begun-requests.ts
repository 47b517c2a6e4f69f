import { Inject, Injectable } from '@nestjs/common';
import { pathOfStage } from '#accounts/interactive-auth/linked-stages';
import { CONFIG, type Config } from '#config/config';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import { MatrixError } from '#kernel/matrix-error';
import type { Purpose } from './attempts/attempt.js';
import { Sealer } from './attempts/sealer.js';
import { SSO_PATH } from './sso-path.js';
import { UpstreamProviders } from './upstream-providers.js';

/** What a stage lives, and is then begun anew. */
const LIFETIME_MS = 30 * 60 * 1000;
const USE = 'request';

/**
 * Links that begin a log-in in whatever browser opens them: what it is for was said before, by the client, and stands in the link, sealed. So
 * whoever asks a client for a link is bound to no provider yet, and the provider's answer to the browser alone.
 */
@Injectable()
export class BegunRequests {
  constructor(
    private readonly sealer: Sealer,
    private readonly providers: UpstreamProviders,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
  ) {}

  /**
   * The page that asks for the provider, where there are several; it leads on by itself where there is one. For a stage its own page, which says what it
   * is for, and offers no provider at which its user has no account.
   */
  linkOf(purpose: Purpose): string {
    if (purpose.kind === 'stage') return `${this.config.publicUrl}${pathOfStage('m.login.sso', purpose.session)}`;
    return `${this.config.publicUrl}/${SSO_PATH}/begin?${this.#query(purpose)}`;
  }

  /** A link for each provider that will do. */
  linksOf(
    purpose: Purpose,
    will: (provider: UpstreamProvider) => boolean = () => true,
  ): { readonly name: string; readonly href: string }[] {
    const query = this.#query(purpose);
    return this.providers.all.filter(will).map(({ id, name }) => ({
      name,
      href: `${this.config.publicUrl}/${SSO_PATH}/begin/${id}?${query}`,
    }));
  }

  /** What a link is for. Throws M_FORBIDDEN for one that is none, or is over. */
  open(sealed: string): Purpose {
    const purpose = this.sealer.open(USE, sealed);
    if (purpose === undefined)
      throw new MatrixError('M_FORBIDDEN', 'This link is over: please begin anew in your application');
    return purpose as Purpose; // Only `#query` seals for this use.
  }

  #query(purpose: Purpose): string {
    return new URLSearchParams({ request: this.sealer.seal(USE, purpose, LIFETIME_MS) }).toString();
  }
}
