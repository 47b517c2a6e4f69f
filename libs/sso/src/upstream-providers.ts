import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { readUpstreamProviders } from '#config/sso/read-upstream-providers';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import { MatrixError } from '#kernel/matrix-error';

/** The OpenID Connect providers at which people of this server have accounts, in the operator's order. */
@Injectable()
export class UpstreamProviders {
  readonly all: readonly UpstreamProvider[];

  /** Throws ConfigError where their file is not as it must be. */
  constructor(@Inject(CONFIG) config: Pick<Config, 'sso'>) {
    this.all = readUpstreamProviders(config.sso);
  }

  find(id: string): UpstreamProvider | undefined {
    return this.all.find((provider) => provider.id === id);
  }

  /** Throws M_NOT_FOUND. */
  get(id: string): UpstreamProvider {
    const provider = this.find(id);
    if (provider === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such identity provider');
    return provider;
  }
}
