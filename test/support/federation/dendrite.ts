import { randomBytes } from 'node:crypto';
import type { TestAuthority } from '#testing/test-authority';
import { type Command, OtherServer, type Place } from './other-server.js';

/** The program of Dendrite (`.ci/servers.sh dendrite`), where there is one. */
export const DENDRITE = process.env['SERVER_DENDRITE'];

/** Starts a Dendrite that others reach at `localhost`, in SQLite. */
export function startDendrite(authority: TestAuthority): Promise<OtherServer> {
  return OtherServer.start(authority, (place) => setUp(place, DENDRITE ?? 'dendrite'));
}

function setUp(place: Place, program: string): Command {
  const key = ['Key-ID: ed25519:test', '', randomBytes(32).toString('base64')];
  place.write(
    'signing.pem',
    ['-----BEGIN MATRIX PRIVATE KEY-----', ...key, '-----END MATRIX PRIVATE KEY-----', ''].join('\n'),
  );
  const config = place.write('dendrite.yaml', JSON.stringify(settingsOf(place)));
  const listeners = [
    '--http-bind-address',
    `127.0.0.1:${place.clientPort}`,
    '--https-bind-address',
    `127.0.0.1:${place.federationPort}`,
  ];
  const tls = ['--tls-cert', place.path('tls.crt'), '--tls-key', place.path('tls.key')];
  return {
    program,
    args: ['--config', config, ...listeners, ...tls, '--really-enable-open-registration'],
    // What Go takes for the authorities of the system.
    env: { SSL_CERT_FILE: place.path('authority.crt') },
  };
}

function settingsOf(place: Place): object {
  const database = (name: string): object => ({ connection_string: `file:${place.path(name)}.db` });
  return {
    version: 2,
    global: {
      server_name: place.name,
      private_key: place.path('signing.pem'),
      presence: { enable_inbound: true, enable_outbound: true },
      jetstream: { storage_path: place.path('jetstream') },
      report_stats: { enabled: false },
    },
    client_api: { registration_disabled: false, rate_limiting: { enabled: false } },
    federation_api: { database: database('federation'), key_perspectives: [], prefer_direct_fetch: true },
    key_server: { database: database('keys') },
    media_api: { database: database('media'), base_path: place.path('media') },
    relay_api: { database: database('relay') },
    room_server: { database: database('rooms') },
    sync_api: { database: database('sync'), search: { enabled: false } },
    user_api: { account_database: database('accounts'), bcrypt_cost: 4 },
    mscs: { database: database('mscs') },
    logging: [{ type: 'std', level: 'info' }],
  };
}
