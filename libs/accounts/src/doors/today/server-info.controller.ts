import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { TODAY, under } from '#http/client-paths';
import { Authenticated } from '#http/authenticated';
import { RawJson } from '#http/raw-json';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS } from '#protocol/room-versions/room-versions';

/** The versions of the specification whose clients find here what they call. */
const VERSIONS =
  'r0.0.1 r0.1.0 r0.2.0 r0.3.0 r0.4.0 r0.5.0 r0.6.0 r0.6.1 v1.1 v1.2 v1.3 v1.4 v1.5 v1.6 v1.7 v1.8 v1.9 v1.10 v1.11'.split(
    ' ',
  );

/** Parts of later versions: `.stable` says that they are at the paths of the specification. */
const UNSTABLE_FEATURES = {
  // Profiles with any keys (v1.16).
  'uk.tcpip.msc4133': true,
  'uk.tcpip.msc4133.stable': true,
};

const VERSIONS_BODY = new RawJson(JSON.stringify({ versions: VERSIONS, unstable_features: UNSTABLE_FEATURES }));

const CAPABILITIES_BODY = new RawJson(
  JSON.stringify({
    capabilities: {
      'm.change_password': { enabled: true },
      'm.room_versions': {
        default: DEFAULT_ROOM_VERSION,
        available: Object.fromEntries(ROOM_VERSIONS.map(({ id, stable }) => [id, stable ? 'stable' : 'unstable'])),
      },
      'm.set_displayname': { enabled: true },
      'm.set_avatar_url': { enabled: true },
      'm.3pid_changes': { enabled: false },
      'm.get_login_token': { enabled: false },
      'm.profile_fields': { enabled: true },
    },
  }),
);

/** What this server is and can (client-server API, "Server Discovery", "Capabilities negotiation"). */
@Controller()
export class ServerInfoController {
  readonly #wellKnown: RawJson;

  constructor(@Inject(CONFIG) config: Pick<Config, 'publicUrl'>) {
    // Element Web looks here whether it may dehydrate devices.
    const known = { 'm.homeserver': { base_url: config.publicUrl }, 'org.matrix.msc3814': true };
    this.#wellKnown = new RawJson(JSON.stringify(known));
  }

  @Get('_matrix/client/versions')
  versions(): RawJson {
    return VERSIONS_BODY;
  }

  @Get('.well-known/matrix/client')
  wellKnown(): RawJson {
    return this.#wellKnown;
  }

  @Authenticated({ guests: true })
  @Get(under(TODAY, 'capabilities'))
  capabilities(): RawJson {
    return CAPABILITIES_BODY;
  }
}
