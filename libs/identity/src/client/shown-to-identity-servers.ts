import { Inject, Injectable } from '@nestjs/common';
import { KeptNotes } from '#accounts/interactive-auth/kept-notes';
import type { Validated } from '#accounts/threepids/mail-validation';
import { findThreepid, type Medium } from '#accounts/threepids/threepid';
import type { ThreepidCredentials } from '#accounts/threepids/threepid-credentials';
import type { ValidatedElsewhere } from '#accounts/threepids/validated-elsewhere';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayAnswerLater, PeerRefused } from '#kernel/peer-errors';
import { IdentityServers } from './identity-servers.js';
import { SHOWN_ELSEWHERE_STREAM } from '../facts/identity-facts.js';
import { Validations } from '../validations.js';

/** For so long an identity server says at most that something was shown: a day since it was begun, and one since it was passed. */
const KNOWN_MS = 2 * 24 * 3600_000;
const MOST = 10_000;
const BUSY_MS = 60_000;

/**
 * Addresses and numbers that were shown to be somebody's to identity servers that the operator believes (`ANNALS_IDENTITY_TRUSTED_SERVERS`): client-server API,
 * `threepid_creds` with `id_server`; 2015, "Email-based (identity server)". Each validation is good for one thing.
 */
@Injectable()
export class ShownToIdentityServers extends KeptNotes implements ValidatedElsewhere {
  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly time: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'identityServers' | 'identityRole'>,
    private readonly servers: IdentityServers,
    private readonly own: Validations,
  ) {
    super(store, time, { stream: SHOWN_ELSEWHERE_STREAM, most: MOST });
  }

  get isOffered(): boolean {
    return this.config.identityServers.trusted.length > 0;
  }

  async take(credentials: ThreepidCredentials, by: UserId | null, medium?: Medium): Promise<Validated | undefined> {
    const server = credentials.idServer?.toLowerCase() as ServerName | undefined; // compared with names
    if (server === undefined || !this.config.identityServers.trusted.includes(server)) return undefined;
    const told = await this.#ask(server, credentials, by);
    const threepid = told && findThreepid(String(told['medium']), String(told['address']));
    const validatedAt = told?.['validated_at'];
    if (threepid === undefined || typeof validatedAt !== 'number') return undefined;
    if (medium !== undefined && threepid.medium !== medium) return undefined;
    // That it was used is not known for ever.
    if (Math.abs(this.time.now() - validatedAt) > KNOWN_MS / 2) return undefined;
    const used = [server, credentials.clientSecret, threepid.medium, threepid.address, validatedAt];
    return (await this.#useUp(JSON.stringify(used))) ? { threepid, validatedAt } : undefined;
  }

  /** What the server says was shown; undefined where it says that nothing was. This one need not ask itself. Throws what may be otherwise later. */
  async #ask(server: ServerName, credentials: ThreepidCredentials, by: UserId | null): Promise<JsonObject | undefined> {
    const { sid, clientSecret, idAccessToken: token } = credentials;
    try {
      if (server === this.config.serverName && this.config.identityRole !== undefined) {
        return { ...(await this.own.getValidated({ sid, clientSecret }, undefined, by)) };
      }
      return await this.servers.findValidated(server, { sid, clientSecret }, token);
    } catch (error) {
      if (mayAnswerLater(error)) throw error;
      if (error instanceof PeerRefused || error instanceof MatrixError) return undefined;
      throw error;
    }
  }

  /**
   * Answers whether it was not used before, in whatever process. `secret`: what was shown, and not the session's id, which another server may know in several
   * ways of writing (`7`, `07`).
   */
  async #useUp(secret: string): Promise<boolean> {
    if ((await this.find(secret)) === 'used') return false;
    if (!(await this.keep(secret, {}, this.time.now() + KNOWN_MS))) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many do this at once', { fields: { retry_after_ms: BUSY_MS } });
    }
    return this.use(secret);
  }
}
