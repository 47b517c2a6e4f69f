import 'reflect-metadata';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { ServerName } from '#kernel/ids';
import { messageOf } from '#kernel/message-of';
import { identityRoleOf, identityServersOf, isHomeserver } from './identity-config.js';
import type { IdentityRoleConfig, IdentityServersConfig } from './identity-config.js';
import { type ListenAddress, originOf, parseListen } from './listen-address.js';
import { listOf } from './list-of.js';
import { type LiveKitConfig, liveKitOf, type RtcTransport, transportsOf } from './livekit-config.js';
import { type DigestConfig, type MailConfig, mailsOf } from './mail-config.js';
import { type MediaConfig, mediaOf, type PreviewsConfig, previewsOf } from './media-config.js';
import { PREFIX, checkSettings } from './check-settings.js';
import { ConfigError } from './config-error.js';
import { parseDuration } from './duration.js';
import type { REGISTRATION_EMAIL, REGISTRATION_MODES, REGISTRATION_PHONE } from './people-settings.js';
import type { LOG_LEVELS } from './server-settings.js';
import { type MasConfig, masOf } from './mas-config.js';
import { type NoticesConfig, noticesOf } from './notices-config.js';
import { type PurgeConfig, purgeOf } from './purge-config.js';
import { type RateLimitFigures, rateLimitsOf } from './rate-limits.js';
import { type RecaptchaConfig, recaptchaOf } from './recaptcha-config.js';
import { type RetentionConfig, retentionOf } from './retention-config.js';
import { type SsoConfig, ssoOf } from './sso-config.js';
import { type TermsConfig, termsOf } from './terms-config.js';
import { emptySettings, type Settings } from './settings.js';
import { type TextMessagesConfig, textMessagesOf } from './text-messages-config.js';

export type RegistrationMode = (typeof REGISTRATION_MODES)[number];
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Whom people of other servers may write to, for well-known. */
export interface SupportConfig {
  readonly matrixId?: string;
  readonly email?: string;
  readonly page?: string;
}

/** A TURN server that takes credentials by a secret which it shares with this one. */
export interface TurnConfig {
  readonly uris: readonly string[];
  readonly secret: string;
  /** For how long credentials hold. */
  readonly lifetimeSeconds: number;
}

/** The configuration in parsed form: frozen, complete, valid. What is absent is off. */
export interface Config extends TermsConfig {
  readonly serverName: ServerName;
  /** Whether nobody has said what the server is called. */
  readonly isServerNameDefault: boolean;
  readonly listen: ListenAddress;
  readonly federationListen?: ListenAddress;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  /** Whether this server speaks to others at all. */
  readonly federation: boolean;
  /** The servers spoken to, as globs; undefined: all. */
  readonly federationAllow?: readonly string[];
  /** The servers not spoken to, as globs, whatever is allowed. */
  readonly federationDeny: readonly string[];
  /** Whom to ask for the keys of servers that do not answer. */
  readonly federationNotaries: readonly ServerName[];
  readonly federationAllowPrivate: boolean;
  /** The push gateways that may be at private addresses, `host` (with any port) or `host:port`: users choose gateways, the operator vouches for these. */
  readonly pushPrivateGateways: readonly string[];
  /** Where other servers find this one, for well-known: `host` or `host:port`. */
  readonly federationAddress?: string;
  readonly support: SupportConfig;
  /** What clients are told in well-known, mails and pages: an origin (or deeper), with no slash at its end. */
  readonly publicUrl: string;
  /** An absolute path. */
  readonly dataDir: string;
  readonly eventStoreUrl?: string;
  /** What the names of the streams begin with on a server that others may use as well. */
  readonly eventStoreNamespace: string;
  readonly readModelsUrl?: string;
  /** After which time what was erased is taken out of the file of the views again, in milliseconds; undefined: only where somebody asks for it. */
  readonly renewViewsEveryMs?: number;
  readonly registration: RegistrationMode;
  /** The ways to log in, each of stages to be completed in order; undefined: each stage that is configured is one. */
  readonly loginFlows?: readonly (readonly string[])[];
  /** Whether one shows a mail address to be one's own on the way; of no meaning where no mails are sent. */
  readonly registrationEmail: (typeof REGISTRATION_EMAIL)[number];
  /** The same of a phone number. */
  readonly registrationPhone: (typeof REGISTRATION_PHONE)[number];
  readonly registrationSharedSecret?: string;
  /** undefined: this server sends no mails. */
  readonly mail?: MailConfig;
  /** undefined: this server sends no messages to phones. */
  readonly textMessages?: TextMessagesConfig;
  readonly digests: DigestConfig;
  /** Whether applications may have sessions by the OAuth 2.0 API, and people an account page. */
  readonly oauth: boolean;
  /** Who says in place of this server who somebody is; then nobody registers here. */
  readonly mas?: MasConfig;
  readonly recaptcha?: RecaptchaConfig;
  readonly sso: SsoConfig;
  /** Absolute paths of registration files. */
  readonly appservices: readonly string[];
  readonly identityServers: IdentityServersConfig;
  /** Whether this server is a homeserver: else it is an identity server alone. */
  readonly isHomeserver: boolean;
  /** undefined: this server is no identity server itself. */
  readonly identityRole?: IdentityRoleConfig;
  readonly media: MediaConfig;
  readonly previews: PreviewsConfig;
  readonly purge: PurgeConfig;
  /** Whether who is in a room no more has forgotten it by that: client-server API, `m.forget_forced_upon_leave`. */
  readonly forgetsLeftRooms: boolean;
  readonly retention: RetentionConfig;
  readonly turn?: TurnConfig;
  readonly livekit?: LiveKitConfig;
  readonly rtcTransports: readonly RtcTransport[];
  /** Whether events may be sticky (MSC4354), which is no part of the specification yet. */
  readonly stickyEvents: boolean;
  /** undefined: the server tells its users nothing. */
  readonly notices?: NoticesConfig;
  readonly rateLimits: boolean;
  readonly rateLimitFigures: RateLimitFigures;
  /** Whether people are told who is there. */
  readonly presence: boolean;
  /** Whether other servers are, and are believed. */
  readonly presenceElsewhere: boolean;
  readonly log: LogLevel;
  /** Addresses and networks whose `X-Forwarded-For` is believed; none by default. */
  readonly trustProxy: readonly string[];
}

/** Injection token of the Config. */
export const CONFIG = Symbol.for('annals.Config');

/** No settings: where the file is, and by which those who start the server know where it is installed and how to start it. */
const LAUNCHERS: ReadonlySet<string> = new Set(['ANNALS_CONFIG', 'ANNALS_DIR', 'ANNALS_CMD']);

/**
 * Makes the configuration of the environment (which wins) and the text of `annals.yaml`. Pure. An empty value and the value
 * `off` of an optional setting count as absent. Throws ConfigError.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>, yamlText?: string): Config {
  const groups = emptySettings();
  const origin = new Map<string, string>();
  const put = (key: string, name: string, value: string): void => {
    const group = groups.find((one) => Object.hasOwn(one, key));
    if (group === undefined) throw new ConfigError(`${name}: no such setting`);
    if (value === '') return;
    Object.assign(group, { [key]: value === 'off' && DEFAULTS.get(key) === undefined ? undefined : value });
    origin.set(key, name);
  };
  for (const [key, value] of yamlSettings(yamlText)) put(key, `annals.yaml: ${key}`, value);
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || LAUNCHERS.has(name) || value === undefined) continue;
    put(name.slice(PREFIX.length).toLowerCase(), name, value.trim());
  }
  checkSettings(groups, origin);
  return parseSettings(Object.assign({}, ...groups) as Settings, !origin.has('server_name'));
}

const DEFAULTS: ReadonlyMap<string, unknown> = new Map(emptySettings().flatMap((group) => Object.entries(group)));

function* yamlSettings(text: string | undefined): Generator<[string, string]> {
  if (text === undefined) return;
  // Loaded only where there is a file to read: most servers are configured by their environment.
  const { parseDocument } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  let document: unknown;
  try {
    const parsed = parseDocument(text);
    // A tag that means nothing is a mistake as well: the library only warns.
    const [problem] = [...parsed.errors, ...parsed.warnings];
    if (problem !== undefined) throw problem;
    document = parsed.toJS();
  } catch (error) {
    throw new ConfigError(`annals.yaml: ${firstLine(error)}`);
  }
  if (document === null || document === undefined) return;
  if (typeof document !== 'object' || Array.isArray(document)) throw new ConfigError('annals.yaml: not a mapping');
  for (const [key, value] of Object.entries(document)) yield [key, yamlScalar(key, value)];
}

function yamlScalar(key: string, value: unknown): string {
  if (value === null) return '';
  // A list of lists means nothing, and one in YAML may hold itself.
  if (Array.isArray(value)) return value.map((item) => yamlScalar(key, Array.isArray(item) ? {} : item)).join(',');
  const isSwitch = DEFAULTS.get(key) === 'on' || DEFAULTS.get(key) === 'off';
  if (isSwitch && typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value).trim();
  throw new ConfigError(`annals.yaml: ${key}: must be a single value`);
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] ?? '';
}

function parseSettings(settings: Settings, isServerNameDefault: boolean): Config {
  const listen = parseListen(settings.listen) as ListenAddress; // Checked by the validator.
  const publicUrl = (settings.public_url ?? originOf(listen)).replace(/\/+$/, '');
  return Object.freeze({
    serverName: settings.server_name as ServerName, // Checked by the validator.
    isServerNameDefault,
    listen,
    federationListen: settings.federation_listen === undefined ? undefined : parseListen(settings.federation_listen),
    tlsCert: settings.tls_cert,
    tlsKey: settings.tls_key,
    tlsCa: settings.tls_ca,
    federation: settings.federation === 'on',
    federationAllow:
      settings.federation_allow === undefined ? undefined : Object.freeze(listOf(settings.federation_allow)),
    federationDeny: Object.freeze(listOf(settings.federation_deny)),
    federationNotaries: Object.freeze(settings.federation_notaries === 'off' ? [] : notariesOf(settings)),
    federationAllowPrivate: settings.federation_allow_private === 'true',
    pushPrivateGateways: Object.freeze(privateGatewaysOf(settings)),
    federationAddress: settings.federation_address ?? addressOf(settings.public_url),
    support: supportOf(settings),
    publicUrl,
    dataDir: resolve(settings.data_dir),
    eventStoreUrl: settings.event_store_url,
    eventStoreNamespace: settings.event_store_namespace,
    readModelsUrl: settings.read_models_url,
    renewViewsEveryMs: parseDuration(settings.renew_views_every),
    registration: registrationOf(settings),
    loginFlows: loginFlowsOf(settings),
    registrationEmail: settings.registration_email as Config['registrationEmail'], // Checked by the validator.
    registrationPhone: settings.registration_phone as Config['registrationPhone'], // Checked by the validator.
    registrationSharedSecret: settings.registration_shared_secret,
    ...mailsOf(settings),
    textMessages: textMessagesOf(settings),
    oauth: settings.oauth === 'on',
    mas: masOf(settings),
    recaptcha: recaptchaOf(settings),
    ...termsOf(settings),
    identityServers: identityServersOf(settings),
    isHomeserver: isHomeserver(settings),
    identityRole: identityRoleOf(settings),
    sso: ssoOf(settings),
    appservices: Object.freeze(listOf(settings.appservices).map((path) => resolve(path))),
    media: mediaOf(settings),
    previews: previewsOf(settings),
    purge: purgeOf(settings),
    forgetsLeftRooms: settings.forget_left_rooms === 'on',
    retention: retentionOf(settings),
    turn: turnOf(settings),
    livekit: liveKitOf(settings),
    rtcTransports: Object.freeze(transportsOf(settings, publicUrl)),
    stickyEvents: settings.sticky_events === 'on',
    notices: noticesOf(settings),
    rateLimits: settings.rate_limits === 'on',
    rateLimitFigures: rateLimitsOf(settings),
    ...presenceOf(settings),
    log: settings.log as LogLevel, // Checked by the validator.
    trustProxy: Object.freeze(listOf(settings.trust_proxy)),
  });
}

/** Where other servers reach this one by its public URL: they need TLS, and paths of their own. */
function addressOf(publicUrl: string | undefined): string | undefined {
  if (publicUrl === undefined) return undefined;
  const { protocol, host, port, pathname } = new URL(publicUrl);
  if (protocol !== 'https:' || pathname !== '/') return undefined;
  return port === '' ? `${host}:443` : host;
}

/** Checked by the validator. Where another service says who somebody is, or this is no homeserver, nobody registers here. */
function registrationOf(settings: Settings): RegistrationMode {
  const isHere = settings.mas_url === undefined && isHomeserver(settings);
  return isHere ? (settings.registration as RegistrationMode) : 'closed';
}

function presenceOf({ presence }: Settings): Pick<Config, 'presence' | 'presenceElsewhere'> {
  return { presence: presence !== 'off', presenceElsewhere: presence === 'on' };
}

function supportOf({ support_matrix_id: matrixId, support_email: email, support_page: page }: Settings): SupportConfig {
  return Object.freeze({ matrixId, email, page });
}

function loginFlowsOf({ login_flows: flows }: Settings): Config['loginFlows'] {
  return flows === undefined ? undefined : Object.freeze(listOf(flows).map((flow) => Object.freeze(flow.split('+'))));
}

/** All of it checked by the validator. */
function turnOf({ turn_uris: uris, turn_secret: secret, turn_lifetime: lifetime }: Settings): TurnConfig | undefined {
  if (uris === undefined || secret === undefined) return undefined;
  return Object.freeze({ uris: Object.freeze(listOf(uris)), secret, lifetimeSeconds: Number(lifetime) });
}

/** A server that is known as `localhost` among servers on this machine is reached by nobody else, and its users' gateways are as it is. */
function privateGatewaysOf({ push_private_gateways: named, ...settings }: Settings): string[] {
  const isHere = /^localhost(:|$)/.test(settings.server_name) && settings.federation_allow_private === 'true';
  return named === undefined && isHere ? ['localhost'] : listOf(named).map((name) => name.toLowerCase());
}

function notariesOf(settings: Settings): ServerName[] {
  return listOf(settings.federation_notaries) as ServerName[]; // Checked by the validator.
}
