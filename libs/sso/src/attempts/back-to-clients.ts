import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IssueLoginToken } from '#accounts/commands/issue-login-token';
import type { UpstreamSession } from '#accounts/facts/login-facts';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { isOfClient, withLoginToken } from './client-url.js';

/** A browser is on its way back to the client, which then asks at once. */
const LOGIN_TOKEN_MS = 30_000;

/** Where browsers go back to clients that wait for who somebody is: each with a login token (client-server API, "Client login via SSO"). */
@Injectable()
export class BackToClients {
  constructor(
    private readonly commands: CommandBus,
    @Inject(CONFIG) private readonly config: Pick<Config, 'sso'>,
  ) {}

  /** Whether the operator trusts the client at a URL, so that nobody is asked before they go there. */
  isTrusted(url: URL): boolean {
    return this.config.sso.trustedClients.some((prefix) => isOfClient(url, prefix));
  }

  /** The URL of a client, with a token of who has shown who they are. */
  async urlFor(
    { userId, upstream }: { readonly userId: UserId; readonly upstream?: UpstreamSession },
    url: URL,
    requestId: string,
  ): Promise<string> {
    const cause = { actor: userId, correlation: requestId };
    return withLoginToken(
      url,
      await this.commands.execute(new IssueLoginToken(userId, LOGIN_TOKEN_MS, cause, upstream)),
    );
  }
}
