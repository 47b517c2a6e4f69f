import type { JsonObject, JsonValue } from '#kernel/json';
import { OAuthError } from '../oauth-error.js';
import { type Client, GRANT_TYPES } from './client.js';
import { whyNotHttps, whyNotRedirectTo } from './redirect-uris.js';

const MOST_REDIRECT_URIS = 10;
const MOST_NAME = 128;
const MOST_URI = 512;
/** Its id is made of it, and stands in URLs. */
const MOST_BYTES = 3_000;
/** A domain of two labels or more, of which the last is no number: neither an address nor a name without a registry. */
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Reads what an application says of itself (client-server API, "Client metadata"; RFC 7591): what is not known is left out, languages
 * too. Throws OAuthError `invalid_client_metadata` or `invalid_redirect_uri`.
 */
export function parseClientMetadata(body: JsonObject): Client {
  const uri = textOf(body, 'client_uri', MOST_URI);
  if (uri === undefined) throw refusal('client_uri: required');
  const host = URL.canParse(uri) ? new URL(uri).hostname : '';
  if (!DOMAIN.test(host)) throw refusal('client_uri: must be at a domain');
  const home = uriOf(body, 'client_uri', host) as string; // It is there.
  const type = body['application_type'] ?? 'web';
  if (type !== 'web' && type !== 'native') throw refusal('application_type: must be web or native');
  const method = body['token_endpoint_auth_method'] ?? 'none';
  if (method !== 'none') throw refusal('token_endpoint_auth_method: must be none');
  const grants = listOf(body, 'grant_types') ?? ['authorization_code'];
  const client: Client = {
    client_uri: home,
    ...optional('client_name', nameOf(body)),
    ...optional('logo_uri', uriOf(body, 'logo_uri', host)),
    ...optional('tos_uri', uriOf(body, 'tos_uri', host)),
    ...optional('policy_uri', uriOf(body, 'policy_uri', host)),
    redirect_uris: redirectUrisOf(body, type, host),
    response_types: (listOf(body, 'response_types') ?? ['code']).filter((one) => one === 'code').slice(0, 1),
    grant_types: GRANT_TYPES.filter((one) => grants.includes(one)),
    application_type: type,
    token_endpoint_auth_method: 'none',
  };
  if (client.grant_types.includes('authorization_code') && client.redirect_uris.length === 0)
    throw new OAuthError('invalid_redirect_uri', 'redirect_uris: at least one for the grant authorization_code');
  if (Buffer.byteLength(JSON.stringify(client)) > MOST_BYTES) throw refusal('The metadata is too long');
  return client;
}

function redirectUrisOf(body: JsonObject, type: 'web' | 'native', host: string): readonly string[] {
  const uris = listOf(body, 'redirect_uris') ?? [];
  if (uris.length > MOST_REDIRECT_URIS) throw new OAuthError('invalid_redirect_uri', 'redirect_uris: too many');
  for (const uri of uris) {
    const problem = whyNotRedirectTo(uri, type, host);
    if (problem !== undefined) throw new OAuthError('invalid_redirect_uri', `redirect_uris: one of them ${problem}`);
  }
  return [...new Set(uris)];
}

function uriOf(body: JsonObject, key: string, host: string): string | undefined {
  const uri = textOf(body, key, MOST_URI);
  const problem = uri === undefined ? undefined : whyNotHttps(uri, host);
  if (problem !== undefined) throw refusal(`${key}: ${problem}`);
  return uri;
}

/** In one line, and with no letters by which it could be made to look like what it is not. */
function nameOf(body: JsonObject): string | undefined {
  const name = textOf(body, 'client_name', MOST_NAME)
    ?.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return name === '' ? undefined : name;
}

function textOf(body: JsonObject, key: string, most: number): string | undefined {
  const value = body[key] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > most)
    throw refusal(`${key}: not a text of at most ${most} characters`);
  return value;
}

function listOf(body: JsonObject, key: string): readonly string[] | undefined {
  const value: JsonValue | undefined = body[key] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((one): one is string => typeof one === 'string'))
    throw refusal(`${key}: not a list of texts`);
  return value;
}

function optional<K extends string>(key: K, value: string | undefined): { readonly [key in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [key in K]?: string }); // One key, named above.
}

const refusal = (text: string): OAuthError => new OAuthError('invalid_client_metadata', text);
