import { validateSync } from 'class-validator';
import { ConfigError } from './config-error.js';
import { parseDuration } from './duration.js';
import { isIdentityServer } from './identity-config.js';
import { type emptySettings, SECRET_SETTINGS, type Settings } from './settings.js';

/** What the name of a setting has before it in the environment. */
export const PREFIX = 'ANNALS_';

/**
 * Throws ConfigError where a value has not its form, or two do not go together. `origin`: where each value comes from, for the message.
 */
export function checkSettings(groups: ReturnType<typeof emptySettings>, origin: ReadonlyMap<string, string>): void {
  const nameOf = (key: string): string => origin.get(key) ?? PREFIX + key.toUpperCase();
  const wrong = groups.flatMap((group) => validateSync(group))[0];
  if (wrong !== undefined) {
    const value = SECRET_SETTINGS.has(wrong.property) ? '' : ` (is ${JSON.stringify(wrong.value)})`;
    throw new ConfigError(`${nameOf(wrong.property)}: ${Object.values(wrong.constraints ?? {})[0]}${value}`);
  }
  const settings = Object.assign({}, ...groups) as Settings;
  const together = (key: keyof Settings, other: keyof Settings): void => {
    if (settings[key] !== undefined && settings[other] === undefined)
      throw new ConfigError(`${nameOf(key)}: needs ${PREFIX}${other.toUpperCase()} too`);
  };
  const ordered = (least: keyof Settings, most: keyof Settings): void => {
    const [min, max] = [parseDuration(settings[least] ?? ''), parseDuration(settings[most] ?? '')];
    if (min !== undefined && max !== undefined && min > max)
      throw new ConfigError(`${nameOf(least)}: is more than ${PREFIX}${most.toUpperCase()}`);
  };
  together('federation_listen', 'tls_cert');
  together('tls_cert', 'tls_key');
  together('tls_key', 'tls_cert');
  together('mas_url', 'mas_secret');
  together('mas_secret', 'mas_url');
  if (settings.mas_url !== undefined && settings.oauth === 'on')
    throw new ConfigError(
      `${nameOf('mas_url')}: does not go with ${PREFIX}OAUTH=on: one of the two says who somebody is`,
    );
  together('recaptcha_site_key', 'recaptcha_secret');
  together('recaptcha_secret', 'recaptcha_site_key');
  together('recaptcha_verify_url', 'recaptcha_secret');
  together('recaptcha_script_url', 'recaptcha_secret');
  together('mail_from', 'smtp_url');
  together('text_messages_authorization', 'text_messages');
  together('text_messages_body', 'text_messages');
  together('text_messages_countries', 'text_messages');
  together('mail_client_url', 'smtp_url');
  if (settings.mail_unread_for_new_users === 'on') together('mail_unread_for_new_users', 'smtp_url');
  if (settings.registration_email === 'required' && settings.smtp_url === undefined)
    throw new ConfigError(`${nameOf('registration_email')}: needs ${PREFIX}SMTP_URL too`);
  if (settings.registration_phone !== 'off' && settings.text_messages === undefined)
    throw new ConfigError(`${nameOf('registration_phone')}: needs ${PREFIX}TEXT_MESSAGES too`);
  together('media_bucket', 'media_bucket_key_id');
  together('media_bucket', 'media_bucket_secret');
  together('media_bucket_key_id', 'media_bucket');
  together('media_bucket_secret', 'media_bucket');
  together('turn_uris', 'turn_secret');
  together('turn_secret', 'turn_uris');
  together('livekit_url', 'livekit_key');
  together('livekit_url', 'livekit_secret');
  together('livekit_key', 'livekit_url');
  together('livekit_secret', 'livekit_url');
  together('livekit_api_url', 'livekit_url');
  together('livekit_publishers', 'livekit_url');
  checkIdentityRole(settings, origin, nameOf);
  checkPublicUrl(settings, nameOf);
  ordered('retention_default_min', 'retention_default_max');
  ordered('retention_allowed_min', 'retention_allowed_max');
}

/** Throws ConfigError where people's pages would be beside what a reverse proxy hands on: they, and what applications ask for by OAuth, are at the root. */
function checkPublicUrl({ public_url: url, oauth }: Settings, nameOf: (key: string) => string): void {
  if (oauth !== 'on' || url === undefined || new URL(url).pathname === '/') return;
  throw new ConfigError(`${nameOf('public_url')}: has a path, which does not go with ${PREFIX}OAUTH=on (is "${url}")`);
}

/** What an identity server is told, by settings of which some have a value where none is given. */
const OF_IDENTITY_ROLE = [
  'identity_terms_url',
  'identity_terms_version',
  'identity_v1',
  'identity_plain_lookup',
  'identity_peers',
] as const satisfies readonly (keyof Settings)[];

/** Throws ConfigError for what is said of an identity server that this server is not, or of what that does not serve. */
function checkIdentityRole(
  settings: Settings,
  origin: ReadonlyMap<string, string>,
  nameOf: (key: string) => string,
): void {
  const given = OF_IDENTITY_ROLE.filter((key) => origin.has(key) && settings[key] !== undefined);
  const [first] = given;
  if (first !== undefined && !isIdentityServer(settings)) {
    throw new ConfigError(`${nameOf(first)}: needs identity in ${PREFIX}ROLES too`);
  }
  if (given.includes('identity_terms_version') && settings.identity_terms_url === undefined) {
    throw new ConfigError(`${nameOf('identity_terms_version')}: needs ${PREFIX}IDENTITY_TERMS_URL too`);
  }
  if (
    given.includes('identity_plain_lookup') &&
    settings.identity_plain_lookup === 'on' &&
    settings.identity_v1 === 'off'
  ) {
    throw new ConfigError(`${nameOf('identity_plain_lookup')}: does not go with ${PREFIX}IDENTITY_V1=off`);
  }
}
