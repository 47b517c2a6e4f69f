import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { TODAY, under } from '#http/client-paths';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { RawJson } from '#http/raw-json';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { SPECIFICATION_VERSIONS } from '#kernel/specification-versions';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { WhosePassword } from '../../sessions/whose-password.js';

/**
 * The versions of the specification whose clients find here what they call. All of them: some clients look for one by its name. A version is
 * listed once each of its changes has a place and a test in docs/specification-versions.md.
 */
export const VERSIONS: readonly string[] = Object.freeze([
  'r0.0.1',
  'r0.1.0',
  'r0.2.0',
  'r0.3.0',
  'r0.4.0',
  'r0.5.0',
  'r0.6.0',
  'r0.6.1',
  ...SPECIFICATION_VERSIONS,
]);

/**
 * What clients look for by name: parts of the versions above where some do not look at the version, and of later ones. Only what is
 * there by that name; `.stable` says that it is at the paths of the specification.
 */
const UNSTABLE_FEATURES = {
  // Cross-signing (v1.1): Element Web verifies users only where it is told so.
  'org.matrix.e2e_cross_signing': true,
  // Read receipts that nobody else sees (v1.4).
  'org.matrix.msc2285.stable': true,
  // The event nearest to a time (v1.6).
  'org.matrix.msc3030.stable': true,
  // Threads (v1.4), their receipts and counts, the list of them; relations in either direction (v1.4) and of relations (v1.10).
  'org.matrix.msc3440.stable': true,
  'org.matrix.msc3771': true,
  'org.matrix.msc3773': true,
  'org.matrix.msc3856': true,
  'org.matrix.msc3856.stable': true,
  'org.matrix.msc3715': true,
  'org.matrix.msc3715.stable': true,
  'org.matrix.msc3981': true,
  // The type of a room as a filter of the room directory (v1.4).
  'org.matrix.msc3827.stable': true,
  // Redactions by way of /send in every room version (v1.18).
  'com.beeper.msc4169': true,
  // Profiles with any keys (v1.16).
  'uk.tcpip.msc4133': true,
  'uk.tcpip.msc4133.stable': true,
  // The state of a room as it is after the timeline (v1.16).
  'org.matrix.msc4222': true,
  // Mutual rooms (v1.19).
  'uk.half-shot.msc2666.query_mutual_rooms': true,
  'uk.half-shot.msc2666.query_mutual_rooms.stable': true,
  // Sliding sync, in the shape that was tried out: by this alone some clients know that they can sign in here.
  'org.matrix.simplified_msc3575': true,
  // Which threads a user wants to hear of, and sliding sync of that: the second proposal names no flag, but libraries (ruma) do.
  'org.matrix.msc4306': true,
  'org.matrix.msc4308': true,
  // Events that are sent later.
  'org.matrix.msc4140': true,
  'org.matrix.msc4140.stable': true,
  // Whose invitations somebody wants: nobody's (v1.18), or by lists.
  'org.matrix.msc4380.stable': true,
  'org.matrix.msc4155': true,
  // Pushers that another device switches on and off.
  'org.matrix.msc3881': true,
};

const CAPABILITIES = {
  'm.room_versions': {
    default: DEFAULT_ROOM_VERSION,
    available: Object.fromEntries(ROOM_VERSIONS.map(({ id, stable }) => [id, stable ? 'stable' : 'unstable'])),
  },
  'm.set_displayname': { enabled: true },
  'm.set_avatar_url': { enabled: true },
  'm.profile_fields': { enabled: true },
};
/** Where the session is one of the OAuth 2.0 API nothing is done that asks for more than its token. */
const OF_APPLICATIONS = {
  'm.change_password': { enabled: false },
  'm.3pid_changes': { enabled: false },
  'm.get_login_token': { enabled: false },
};

/** Administrators lock and suspend accounts as well. */
const OF_ADMINS = { 'm.account_moderation': { suspend: true, lock: true } };

/** What this server is and can (client-server API, "Server Discovery", "Capabilities negotiation"). */
@RateLimited('default')
@Controller()
export class ServerInfoController {
  readonly #wellKnown: RawJson;
  readonly #versions: RawJson;
  readonly #capabilities: JsonObject;

  constructor(
    @Inject(CONFIG) config: Pick<
      Config,
      | 'forgetsLeftRooms'
      | 'identityServers'
      | 'mail'
      | 'mas'
      | 'oauth'
      | 'presence'
      | 'publicUrl'
      | 'retention'
      | 'rtcTransports'
      | 'sso'
      | 'stickyEvents'
      | 'textMessages'
    >,
    private readonly whose: WhosePassword,
  ) {
    const { mas, oauth, presence, publicUrl, retention, rtcTransports, sso, stickyEvents } = config;
    const { identityServers, mail, textMessages } = config;
    this.#capabilities = {
      ...CAPABILITIES,
      'm.get_login_token': { enabled: sso.givesLoginTokens },
      // An address or a number is added once it was shown whose it is: by a mail, by a message to a phone, or to an identity server that is believed.
      'm.3pid_changes': {
        enabled: mail !== undefined || textMessages !== undefined || identityServers.trusted.length > 0,
      },
      'm.forget_forced_upon_leave': { enabled: config.forgetsLeftRooms },
    };
    const features = {
      ...UNSTABLE_FEATURES,
      // A state of presence besides the three.
      ...(presence ? { 'org.matrix.msc3026.busy_presence': true } : {}),
      ...(stickyEvents ? { 'org.matrix.msc4354': true } : {}),
      // Signing in by a QR code: with a rendezvous alone, and no grant for devices, it would come to nothing.
      ...(oauth || mas !== undefined ? { 'org.matrix.msc4108': true } : {}),
      // The proposal names no flag: its prefix says it, as those of others do.
      ...(retention.isOn ? { 'org.matrix.msc1763': true } : {}),
    };
    this.#versions = new RawJson(JSON.stringify({ versions: VERSIONS, unstable_features: features }));
    // Element Web looks here whether it may dehydrate devices.
    const known = { 'm.homeserver': { base_url: publicUrl }, 'org.matrix.msc3814': true };
    // Where some clients look, and nowhere else, by what calls of many are carried.
    const foci = rtcTransports.length === 0 ? {} : { 'org.matrix.msc4143.rtc_foci': rtcTransports };
    this.#wellKnown = new RawJson(JSON.stringify({ ...known, ...foci }));
  }

  @Get('_matrix/client/versions')
  versions(): RawJson {
    return this.#versions;
  }

  @Get('.well-known/matrix/client')
  wellKnown(): RawJson {
    return this.#wellKnown;
  }

  @Authenticated({ guests: true })
  @Get(under(TODAY, 'capabilities'))
  async capabilities(
    @CurrentRequester() { userId, isAdmin, isOAuth }: Requester,
  ): Promise<{ capabilities: JsonObject }> {
    const capabilities = {
      'm.change_password': { enabled: await this.whose.isOurs(userId) },
      ...this.#capabilities,
      ...(isOAuth === true ? OF_APPLICATIONS : {}),
      ...(isAdmin ? OF_ADMINS : {}),
    };
    return { capabilities };
  }
}
