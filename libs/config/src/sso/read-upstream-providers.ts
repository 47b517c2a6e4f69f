import { readFileSync } from 'node:fs';
import { messageOf } from '#kernel/message-of';
import { ConfigError } from '../config-error.js';
import type { SsoConfig } from '../sso-config.js';
import { MappingFaults, MappingReader, parseMapping } from '../yaml-mapping.js';
import { readAccountRules } from './account-rules.js';
import { readSecretOf } from './read-secret.js';
import { parseTemplate, type Template } from './template.js';
import type { ClaimsMapping, UpstreamEndpoints, UpstreamProvider } from './upstream-provider.js';

const ID = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
/** What one is called that is none of these. */
const TAKEN_IDS: ReadonlySet<string> = new Set(['ldap']);
const LOCAL_HOST = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** With TLS, or on this machine. */
function isOfProvider(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username } = new URL(text);
  return username === '' && (protocol === 'https:' || (protocol === 'http:' && LOCAL_HOST.test(hostname)));
}

/** Reads the file of the providers that the configuration names; none where it names no file. Throws ConfigError with a line for each fault. */
export function readUpstreamProviders({
  providersFile,
}: Pick<SsoConfig, 'providersFile'>): readonly UpstreamProvider[] {
  if (providersFile === undefined) return [];
  try {
    return readProviders(readFileSync(providersFile, 'utf8'));
  } catch (error) {
    const faults = error instanceof MappingFaults ? error.faults : [messageOf(error)];
    throw new ConfigError(...faults.map((fault) => `ANNALS_SSO_PROVIDERS: ${providersFile}: ${fault}`));
  }
}

/** The providers in the text of such a file. Throws MappingFaults. */
export function readProviders(text: string, readSecret?: (path: string) => string): readonly UpstreamProvider[] {
  const file = new MappingReader(parseMapping(text));
  const ids = new Set<string>();
  const providers = file.list('providers').map((from) => {
    const provider = readProvider(from, readSecret);
    if (ids.has(provider.id)) from.fault('id', 'another provider has it');
    ids.add(provider.id);
    return provider;
  });
  file.refuseOthers();
  file.check();
  return Object.freeze(providers);
}

function readProvider(from: MappingReader, readSecret?: (path: string) => string): UpstreamProvider {
  const id = from.getText('id', 'a name of a-z, 0-9, and behind the first letter also _.-', (text) => ID.test(text));
  if (TAKEN_IDS.has(id)) from.fault('id', 'this name has another meaning');
  const icon = from.findText('icon', 'an mxc:// URI', (text) => /^mxc:\/\/[^/]+\/[^/]+$/.test(text));
  const brand = from.findText('brand', 'a name such as github', (text) => /^[a-z][a-z0-9_.-]*$/.test(text));
  const secret = readSecretOf(from, 'client_secret', readSecret);
  const clientAuth = from.getWord(
    'client_auth',
    secret === undefined ? ['none', 'basic', 'post'] : ['basic', 'post', 'none'],
  );
  if (clientAuth !== 'none' && secret === undefined)
    from.fault('client_secret', `required: client_auth is ${clientAuth}`);
  const provider: UpstreamProvider = {
    id,
    name: from.getText('name', 'what people call it'),
    ...(icon === undefined ? {} : { icon }),
    ...(brand === undefined ? {} : { brand }),
    issuer: from.getText('issuer', 'an https URL', isOfProvider),
    clientId: from.getText('client_id', 'how this server is known there'),
    ...(secret === undefined ? {} : { clientSecret: secret }),
    clientAuth,
    scopes: from.getTexts('scopes', 'scopes', ['openid', 'profile', 'email'], (scope) => /^[\x21-\x7e]+$/.test(scope)),
    ...readEndpoints(from),
    asksUserInfo: from.getFlag('userinfo', true),
    tellsAuthTime: from.getFlag('auth_time', true),
    claims: readClaims(from.within('claims')),
    userName: from.getWord('user_name', ['ask_if_taken', 'given', 'ask']),
    rules: readAccountRules(from),
  };
  if (!provider.scopes.includes('openid')) from.fault('scopes', 'openid must be among them');
  from.refuseOthers();
  return Object.freeze(provider);
}

function readEndpoints(from: MappingReader): { readonly endpoints?: UpstreamEndpoints } {
  const find = (key: string): string | undefined => from.findText(key, 'an https URL', isOfProvider);
  const [authorization, token, userinfo, jwks] = [
    find('authorization_endpoint'),
    find('token_endpoint'),
    find('userinfo_endpoint'),
    find('jwks_uri'),
  ];
  if (authorization === undefined && token === undefined && jwks === undefined) {
    if (userinfo !== undefined) from.fault('userinfo_endpoint', 'needs the other endpoints too');
    return {};
  }
  if (authorization === undefined || token === undefined || jwks === undefined) {
    from.fault('authorization_endpoint', 'needs token_endpoint and jwks_uri too, and they need it');
    return {};
  }
  return { endpoints: { authorization, token, jwks, ...(userinfo === undefined ? {} : { userinfo }) } };
}

function readClaims(from: MappingReader): ClaimsMapping {
  const find = (key: string, usual?: string): Template | undefined => {
    const words = 'a text with claims in braces, such as {name}, and no other braces';
    const text = from.findText(key, words, (one) => parseTemplate(one) !== undefined) ?? usual;
    return text === undefined ? undefined : parseTemplate(text);
  };
  const groups = from.findText('groups', 'the name of a claim');
  const claims: ClaimsMapping = {
    subject: find('subject', '{sub}') ?? [],
    userName: find('user_name', '{preferred_username}'),
    displayName: find('display_name', '{name}'),
    email: find('email'),
    phone: find('phone'),
    ...(groups === undefined ? {} : { groups: groups.includes('/') ? [groups] : groups.split('.') }),
  };
  from.refuseOthers();
  return Object.freeze(claims);
}
