import { IsOptional } from 'class-validator';
import { isServerName, isUserId } from '#kernel/ids';
import { isWebAddress } from '#kernel/is-web-address';
import { parseListen } from './listen-address.js';
import { areRateLimits } from './rate-limits.js';
import {
  areGlobs,
  areRooms,
  areServerNames,
  areTurnUris,
  isAddressOrNetwork,
  isByteCount,
  isDays,
  isDuration,
  isFilled,
  isKurrentUrl,
  isLocalpart,
  isMongoUrl,
  isNamespace,
  isTurnLifetime,
  isUrl,
} from './setting-forms.js';
import { Form, OneOf } from './setting-rules.js';

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
/** What this server is: a homeserver, an identity server besides, or an identity server alone. */
const ROLES = ['all', 'all,identity', 'identity'] as const;
const SWITCH = ['on', 'off'] as const;
const DURATION = 'a time such as 12h, 30d or 1y (s, m, h, d, w, y)';
const BOOLEAN = ['true', 'false'] as const;

/**
 * The settings of the server, its stores and what lies in rooms (what is of people: people-settings.ts), as they are written: text, by the name it has in `annals.yaml`; in the environment the same name in capitals
 * behind `ANNALS_`. Absent means off, or the default given here.
 */
export class ServerSettings {
  @Form('a server name such as example.org or example.org:8448', isServerName)
  server_name = 'localhost:8008';

  @Form('an address such as 127.0.0.1:8008 or [::1]:8008', (text) => parseListen(text) !== undefined)
  listen = '127.0.0.1:8008';

  @IsOptional()
  @Form('an address such as 0.0.0.0:8448', (text) => parseListen(text) !== undefined)
  federation_listen?: string;

  @IsOptional()
  @Form('the path of a PEM file', isFilled)
  tls_cert?: string;

  @IsOptional()
  @Form('the path of a PEM file', isFilled)
  tls_key?: string;

  @IsOptional()
  @Form('the path of a PEM file', isFilled)
  tls_ca?: string;

  @OneOf(SWITCH)
  federation = 'on';

  @IsOptional()
  @Form('server names, comma-separated, in which * and ? may stand for others (example.org, *.example.com)', areGlobs)
  federation_allow?: string;

  @IsOptional()
  @Form('server names, comma-separated, in which * and ? may stand for others (example.org, *.example.com)', areGlobs)
  federation_deny?: string;

  @Form('server names, comma-separated, or off', areServerNames)
  federation_notaries: string = 'matrix.org';

  @OneOf(BOOLEAN)
  federation_allow_private = 'false';

  @IsOptional()
  @Form('names or addresses, comma-separated, with a port or for any (push.example.org, 10.0.0.5:8443)', areServerNames)
  push_private_gateways?: string;

  @IsOptional()
  @Form('a server name such as matrix.example.org:443', isServerName)
  federation_address?: string;

  @IsOptional()
  @Form('a user ID such as @alice:example.org', isUserId)
  support_matrix_id?: string;

  @IsOptional()
  @Form('a mail address', (text) => /^[^\s@]+@[^\s@]+$/.test(text))
  support_email?: string;

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  support_page?: string;

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  public_url?: string;

  @Form('a directory', isFilled)
  data_dir = './data';

  @IsOptional()
  @Form('a URL such as kurrentdb://host:2113?tls=false', isKurrentUrl)
  event_store_url?: string;

  @Form('a name of small letters, digits and dashes such as annals', isNamespace)
  event_store_namespace: string = 'annals';

  @IsOptional()
  @Form('a URL such as mongodb://host/annals', isMongoUrl)
  read_models_url?: string;

  @Form(`${DURATION}, or off`, (text) => text === 'off' || isDuration(text))
  renew_views_every: string = '1d';

  @IsOptional()
  @Form('comma-separated paths', isFilled)
  appservices?: string;

  @Form('a number of bytes such as 100M (K, M, G or T)', isByteCount)
  media_max_upload = '100M';

  @IsOptional()
  @Form('a number of bytes such as 5G (K, M, G or T)', isByteCount)
  media_quota?: string;

  @Form('a number of bytes such as 10G (K, M, G or T)', isByteCount)
  media_cache = '10G';

  @IsOptional()
  @Form('a number of days such as 30', isDays)
  media_cache_days?: string;

  @OneOf(SWITCH)
  media_freeze = 'on';

  @IsOptional()
  @Form('a number of days such as 30', isDays)
  media_free_redacted?: string;

  @IsOptional()
  @Form('the http or https URL of a bucket such as https://s3.example.org/media', isWebAddress)
  media_bucket?: string;

  @IsOptional()
  @Form('the ID of an access key', isFilled)
  media_bucket_key_id?: string;

  @IsOptional()
  @Form('a secret', isFilled)
  media_bucket_secret?: string;

  @Form('a region such as eu-central-1, or auto', (text) => /^[\w-]{1,64}$/.test(text))
  media_bucket_region: string = 'auto';

  @OneOf(SWITCH)
  previews = 'on';

  @IsOptional()
  @Form('names or addresses of hosts, comma-separated, in which * and ? may stand for others', areGlobs)
  previews_deny?: string;

  @IsOptional()
  @Form('names or addresses, comma-separated, with a port or for any (wiki.lan, 10.0.0.5:8443)', areServerNames)
  previews_private_hosts?: string;

  @IsOptional()
  @Form('comma-separated URIs such as turn:turn.example.org:3478?transport=udp', areTurnUris)
  turn_uris?: string;

  @IsOptional()
  @Form('a secret', isFilled)
  turn_secret?: string;

  @Form('a number of seconds from 60 to 604800', isTurnLifetime)
  turn_lifetime = '86400';

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  livekit_service_url?: string;

  @IsOptional()
  @Form('a ws or wss URL', isUrl(['ws:', 'wss:']))
  livekit_url?: string;

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  livekit_api_url?: string;

  @IsOptional()
  @Form('a key', isFilled)
  livekit_key?: string;

  @IsOptional()
  @Form('a secret', isFilled)
  livekit_secret?: string;

  @IsOptional()
  @Form('server names, comma-separated, in which * and ? may stand for others (example.org, *.example.com)', areGlobs)
  livekit_publishers?: string;

  @OneOf(SWITCH)
  sticky_events = 'off';

  @IsOptional()
  @Form('what stands before the colon of a user ID', isLocalpart)
  notices_user?: string;

  @Form('a name', isFilled)
  notices_name = 'Server notices';

  @IsOptional()
  @Form('the mxc:// URI of a picture', (text) => /^mxc:\/\/[^/\s]+\/[\w-]+$/.test(text))
  notices_avatar?: string;

  @IsOptional()
  @Form('a number of days such as 90', isDays)
  purge_rooms_after?: string;

  @IsOptional()
  @Form('room IDs and aliases, comma-separated (#lobby:example.org)', areRooms)
  purge_rooms_except?: string;

  @OneOf(SWITCH)
  forget_left_rooms = 'off';

  @OneOf(SWITCH)
  retention = 'off';

  @IsOptional()
  @Form(DURATION, isDuration)
  retention_default_min?: string;

  @IsOptional()
  @Form(DURATION, isDuration)
  retention_default_max?: string;

  @IsOptional()
  @Form(DURATION, isDuration)
  retention_allowed_min?: string;

  @IsOptional()
  @Form(DURATION, isDuration)
  retention_allowed_max?: string;

  @OneOf(SWITCH)
  rate_limits = 'on';

  @IsOptional()
  @Form('classes of requests, comma-separated, each with its burst and how many a second (send=200:40)', areRateLimits)
  rate_limit_figures?: string;

  @OneOf([...SWITCH, 'here'])
  presence = 'on';

  @OneOf(LOG_LEVELS)
  log: string = 'info';

  @OneOf(ROLES)
  roles: string = 'all';

  @IsOptional()
  @Form('the addresses of reverse proxies, comma-separated (127.0.0.1, 10.0.0.0/8)', (text) =>
    text.split(',').every((item) => isAddressOrNetwork(item.trim())),
  )
  trust_proxy?: string;
}

/** Those of these settings whose values never appear in a message or a log line. */
export const SERVER_SECRETS: readonly string[] = [
  'event_store_url',
  'read_models_url',
  'media_bucket',
  'media_bucket_key_id',
  'media_bucket_secret',
  'turn_secret',
  'livekit_secret',
];
