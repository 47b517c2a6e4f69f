import { Inject, Injectable } from '@nestjs/common';
import type { AuthSession, Purpose } from '#accounts/interactive-auth/auth-sessions';
import type { Dialect, PageContext, Passage, Stage, StageView, Standing } from '#accounts/interactive-auth/stage';
import { StageRegistry } from '#accounts/interactive-auth/stage-registry';
import { findLocalUserId } from '#accounts/user-ids';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Purpose as Awaited } from '../attempts/attempt.js';
import { BegunRequests } from '../begun-requests.js';
import { UpstreamProviders } from '../upstream-providers.js';

/**
 * `m.login.oauth2` as it was in 2014 and 2015 ("OAuth2-based"): the client is told a `uri`, which it visits; there somebody shows at a
 * provider who they are, and the URI to which that sends them back answers with credentials, or what comes next.
 * NOTSPEC: the `uri` is one of this server also where there is but one provider, to which it then leads: the browser has to be known by the
 * time that it comes back. What the stages before have shown of who registers counts for nothing there, as whoever opens it may be somebody
 * else: the documents, the mail address and the phone number that an account needs are asked for where it is opened, and the name that is wished for is proposed there.
 */
@Injectable()
export class OAuth2Stage implements Stage {
  readonly type = 'm.login.oauth2';
  readonly rank = 55;
  readonly makesAccount = true;

  constructor(
    registry: StageRegistry,
    private readonly providers: UpstreamProviders,
    private readonly requests: BegunRequests,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose, dialect: Dialect): Standing | undefined {
    if (this.providers.all.length === 0 || dialect !== 'v1') return undefined;
    return purpose === 'registration' ? 'optional' : purpose === 'login' ? 'alternative' : undefined;
  }

  async pass({ user }: JsonObject, session: AuthSession): Promise<Passage> {
    return { isComplete: false, answer: { uri: this.#uriFor(session, user) } };
  }

  view({ session }: PageContext): StageView {
    return { redirectTo: this.#uriFor(session, undefined) };
  }

  #uriFor({ id: session, operation, learnt }: AuthSession, user: unknown): string {
    const named = this.#userOf(user) ?? learnt.userId;
    const isRegistration = operation.purpose === 'registration';
    const purpose: Awaited = {
      kind: 'v1',
      session,
      ...(named === undefined ? {} : { user: named }),
      ...(isRegistration ? { registers: true } : {}),
      ...(learnt.registrationToken === undefined ? {} : { registrationToken: learnt.registrationToken }),
    };
    return this.requests.linkOf(purpose);
  }

  #userOf(user: unknown): UserId | undefined {
    if (user === undefined || user === null || user === '') return undefined;
    if (typeof user !== 'string') throw new MatrixError('M_BAD_JSON', 'user: must be a string');
    const userId = findLocalUserId(user, this.config.serverName);
    if (userId === undefined) throw new MatrixError('M_FORBIDDEN', 'This is no account of this server');
    return userId;
  }
}
