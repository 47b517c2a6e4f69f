import { IsOptional } from 'class-validator';
import { isWebAddress } from '#kernel/is-web-address';
import { areIdentityPeers } from './identity-config.js';
import {
  areClientUrls,
  areGlobs,
  areServerNames,
  areLoginFlows,
  isDuration,
  isFilled,
  isSender,
  isUrl,
} from './setting-forms.js';
import { Form, OneOf } from './setting-rules.js';
import { areCountries, isTextsBody, isTextsTarget } from './text-messages-config.js';

const OAUTH_MODES = ['off', 'on'] as const;

export const REGISTRATION_MODES = ['open', 'token', 'closed'] as const;

/** Whether an account that is registered has a mail address. */
export const REGISTRATION_EMAIL = ['off', 'optional', 'required'] as const;

/** Whether it has a phone number. */
export const REGISTRATION_PHONE = ['off', 'optional', 'required'] as const;

/** The settings of who may be here and how they show it, in the manner of `ServerSettings`. */
export class PeopleSettings {
  @OneOf(REGISTRATION_MODES)
  registration: string = 'token';

  @OneOf(OAUTH_MODES)
  oauth = 'off';

  @IsOptional()
  @Form(
    'comma-separated ways to log in, each of types of stages with + between them (m.login.password+m.login.email.code)',
    areLoginFlows,
  )
  login_flows?: string;

  @OneOf(REGISTRATION_EMAIL)
  registration_email: string = 'optional';

  /** Off where nobody says otherwise: what anybody may have sent costs money. */
  @OneOf(REGISTRATION_PHONE)
  registration_phone: string = 'off';

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  mas_url?: string;

  @IsOptional()
  @Form('a secret', isFilled)
  mas_secret?: string;

  @IsOptional()
  @Form('a secret', isFilled)
  registration_shared_secret?: string;

  @IsOptional()
  @Form('a URL such as smtp://user:password@host:port', isUrl(['smtp:', 'smtps:']))
  smtp_url?: string;

  @IsOptional()
  @Form('a mail address, or a name and one in angle brackets', isSender)
  mail_from?: string;

  @Form('a time such as 30s, 10m or 2h (s, m, h, d, w, y)', isDuration)
  mail_unread_after: string = '10m';

  @OneOf(['on', 'off'])
  mail_unread_for_new_users: string = 'off';

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  mail_client_url?: string;

  @IsOptional()
  @Form('the http or https URL of a gateway, or log', isTextsTarget)
  text_messages?: string;

  @IsOptional()
  @Form('what stands in the header Authorization, such as Bearer …', isFilled)
  text_messages_authorization?: string;

  @IsOptional()
  @Form('JSON with {number} or {digits} and {text} in it', isTextsBody)
  text_messages_body?: string;

  @IsOptional()
  @Form('countries by two letters, comma-separated (DE, AT)', areCountries)
  text_messages_countries?: string;

  @IsOptional()
  @Form('the path of a file', isFilled)
  terms?: string;

  @OneOf(['on', 'off'])
  terms_required: string = 'on';

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  recaptcha_script_url?: string;

  @IsOptional()
  @Form('a site key', isFilled)
  recaptcha_site_key?: string;

  @IsOptional()
  @Form('a secret', isFilled)
  recaptcha_secret?: string;

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  recaptcha_verify_url?: string;

  @Form('names of servers, comma-separated, in which * and ? may stand for others (vector.im), or off', areGlobs)
  identity_servers: string = '*';

  @IsOptional()
  @Form('names of servers, comma-separated (vector.im)', areServerNames)
  identity_trusted_servers?: string;

  @IsOptional()
  @Form('names or addresses, comma-separated, with a port or for any (id.lan, 10.0.0.5:8443)', areServerNames)
  identity_private_servers?: string;

  @IsOptional()
  @Form('an http or https URL', isWebAddress)
  identity_terms_url?: string;

  @IsOptional()
  @Form(
    'identity servers, comma-separated, each its name, its key and, where it is elsewhere, its https URL',
    areIdentityPeers,
  )
  identity_peers?: string;

  @Form('a version such as 1.0', (text) => /^[\w.-]{1,64}$/.test(text))
  identity_terms_version: string = '1';

  @OneOf(['on', 'off'])
  identity_v1: string = 'on';

  @OneOf(['on', 'off'])
  identity_plain_lookup: string = 'on';

  @IsOptional()
  @Form('the path of a file', isFilled)
  sso_providers?: string;

  @IsOptional()
  @Form('the path of a file', isFilled)
  ldap?: string;

  @IsOptional()
  @Form('comma-separated URLs of clients (https://app.example.org/, element://vector)', areClientUrls)
  sso_clients?: string;

  @OneOf(['on', 'off'])
  login_tokens: string = 'on';
}

/** Those of these settings whose values never appear in a message or a log line. */
export const PEOPLE_SECRETS: readonly string[] = [
  'registration_shared_secret',
  'mas_secret',
  'smtp_url',
  'text_messages',
  'text_messages_authorization',
  'text_messages_body',
  'recaptcha_secret',
];
