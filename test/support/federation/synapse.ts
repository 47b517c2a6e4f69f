import { randomBytes } from 'node:crypto';
import type { TestAuthority } from '#testing/test-authority';
import { type Command, OtherServer, type Place } from './other-server.js';

/** A Python that has Synapse (`.ci/servers.sh synapse`), where there is one. */
export const SYNAPSE = process.env['SERVER_SYNAPSE'];

const NO_LIMIT = { per_second: 10_000, burst_count: 10_000 };

/** Starts a Synapse that others reach at `localhost`, in SQLite. */
export function startSynapse(authority: TestAuthority): Promise<OtherServer> {
  return OtherServer.start(authority, (place) => setUp(place, SYNAPSE ?? 'python3'));
}

function setUp(place: Place, program: string): Command {
  place.write('signing.key', `ed25519 test ${randomBytes(32).toString('base64').replaceAll('=', '')}\n`);
  place.write('logging.yaml', JSON.stringify(LOGGING));
  const config = place.write('homeserver.yaml', JSON.stringify({ ...settingsOf(place), ...WITHOUT_LIMITS }));
  // Identity servers it asks as their clients do, and not as a server asks others.
  const env = { SSL_CERT_FILE: place.path('authority.crt') };
  return { program, args: ['-m', 'synapse.app.homeserver', '-c', config], env };
}

function settingsOf(place: Place): object {
  const resources = [{ names: ['client', 'federation'] }];
  const listener = { type: 'http', bind_addresses: ['127.0.0.1'], resources };
  return {
    server_name: place.name,
    listeners: [
      { ...listener, port: place.clientPort, tls: false },
      { ...listener, port: place.federationPort, tls: true },
    ],
    tls_certificate_path: place.path('tls.crt'),
    tls_private_key_path: place.path('tls.key'),
    federation_custom_ca_list: [place.path('authority.crt')],
    ip_range_blacklist: [],
    federation_ip_range_blacklist: [],
    // By default it waits 4 seconds, then 16, for a server that was away, and after a few minutes leaves it alone for ten.
    federation: {
      max_long_retry_delay: 500,
      max_short_retry_delay: 500,
      destination_min_retry_interval: 500,
      destination_max_retry_interval: 1000,
    },
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    signing_key_path: place.path('signing.key'),
    database: { name: 'sqlite3', args: { database: place.path('homeserver.db') } },
    media_store_path: place.path('media'),
    pid_file: place.path('pid'),
    log_config: place.path('logging.yaml'),
    macaroon_secret_key: 'a secret of a test',
    form_secret: 'another one',
    registration_shared_secret: 'a third one',
    enable_registration: true,
    enable_registration_without_verification: true,
    bcrypt_rounds: 4,
    allow_public_rooms_over_federation: true,
    room_list_publication_rules: [{ action: 'allow' }],
    report_stats: false,
  };
}

const LIMITED =
  'message registration registration_token_validity admin_redaction joins_per_room key_requests third_party_invite media_create ' +
  'delayed_event_mgmt room_creation reports user_directory 3pid_validation profile';

const WITHOUT_LIMITS = {
  ...Object.fromEntries(LIMITED.split(' ').map((name) => [`rc_${name}`, NO_LIMIT])),
  rc_login: { address: NO_LIMIT, account: NO_LIMIT, failed_attempts: NO_LIMIT },
  rc_joins: { local: NO_LIMIT, remote: NO_LIMIT },
  rc_invites: { per_room: NO_LIMIT, per_user: NO_LIMIT, per_issuer: NO_LIMIT },
  rc_presence: { per_user: NO_LIMIT },
  rc_federation: { window_size: 1000, sleep_limit: 10_000, sleep_delay: 1, reject_limit: 10_000, concurrent: 100 },
};

/** Into `output`, in its folder. */
const LOGGING = {
  version: 1,
  formatters: { line: { format: '%(asctime)s %(levelname)s %(name)s %(request)s %(message)s' } },
  handlers: { console: { class: 'logging.StreamHandler', formatter: 'line' } },
  root: { level: 'INFO', handlers: ['console'] },
  disable_existing_loggers: false,
};
