import { Inject, Injectable } from '@nestjs/common';
import { OPENID_LIFETIME_MS, OpenIdTokens } from '#accounts/openid/openid-tokens';
import { CONFIG, type Config } from '#config/config';
import type { ServerName } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { IdentityServers } from './identity-servers.js';

/** Which identity server is asked, and by which of its tokens; without one, one is got for the requester. */
export interface AskedServer {
  readonly server: ServerName;
  readonly token?: string;
}

/** Tokens of identity servers, for users whose clients have none. */
@Injectable()
export class IdentityTokens {
  constructor(
    private readonly servers: IdentityServers,
    private readonly openId: OpenIdTokens,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** Has something done with the token that was given, or one that is got for just this. Throws as IdentityServers. */
  async use<T>(requester: Requester, { server, token }: AskedServer, work: (token: string) => Promise<T>): Promise<T> {
    if (token !== undefined) return work(token);
    const own = await this.servers.register(server, {
      access_token: await this.openId.issue(requester),
      token_type: 'Bearer',
      matrix_server_name: this.config.serverName,
      expires_in: OPENID_LIFETIME_MS / 1000,
    });
    try {
      return await work(own);
    } finally {
      // Whatever becomes of it: it was for this alone.
      await this.servers.logOut(server, own).catch(() => {});
    }
  }
}
