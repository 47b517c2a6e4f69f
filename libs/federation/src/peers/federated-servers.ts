import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { ServerName } from '#kernel/ids';
import { compileGlob, type TextMatcher } from '#protocol/glob';

/** The other servers that the operator lets this one speak to, in both directions. */
@Injectable()
export class FederatedServers {
  readonly #isOn: boolean;
  readonly #allowed: readonly TextMatcher[] | undefined;
  readonly #denied: readonly TextMatcher[];

  constructor(@Inject(CONFIG) config: Pick<Config, 'federation' | 'federationAllow' | 'federationDeny'>) {
    this.#isOn = config.federation;
    this.#allowed = config.federationAllow?.map(compile);
    this.#denied = config.federationDeny.map(compile);
  }

  /** Whether federation is on at all. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /**
   * Whether a server is spoken to. As in the ACLs of rooms, the port of a name does not matter and capitals do not; a glob that has a
   * port is for that one alone.
   */
  allows(server: ServerName): boolean {
    if (!this.#isOn) return false;
    const whole = server.toLowerCase();
    const names = [whole, whole.replace(/:\d+$/, '')];
    const isIn = (globs: readonly TextMatcher[]): boolean => globs.some((matches) => names.some(matches));
    return !isIn(this.#denied) && (this.#allowed === undefined || isIn(this.#allowed));
  }
}

function compile(glob: string): TextMatcher {
  return compileGlob(glob.toLowerCase());
}
