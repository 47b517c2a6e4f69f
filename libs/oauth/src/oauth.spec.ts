import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { ClientIds } from './clients/client-ids.js';
import { parseClientMetadata } from './clients/parse-client-metadata.js';
import { isRegistered, withParameters } from './clients/redirect-uris.js';
import { parseScope } from './decide/scope.js';
import { OAuthError } from './oauth-error.js';
import { ownPage } from './oauth-paths.js';

const BASE = { client_uri: 'https://example.com/', redirect_uris: ['https://example.com/callback'] };

function errorOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof OAuthError ? error.code : String(error);
  }
}

const withRedirect =
  (uri: string, type = 'web') =>
  () =>
    parseClientMetadata({ ...BASE, application_type: type, redirect_uris: [uri] });

describe('what an application says of itself', () => {
  // Client-server API, "Redirect URI validation": its examples, and worse.
  it.each([
    'https://example.com/callback',
    'https://app.example.com/callback',
    'https://example.com:5173/?query=value',
  ])('may lead to %s on the web', (uri) => expect(errorOf(withRedirect(uri))).toBeUndefined());
  it.each([
    'https://example.com/callback#fragment',
    'http://example.com/callback',
    'http://localhost/',
    'com.example:/callback',
    'https://user@example.com/',
    'https://:password@example.com/',
    'https://notexample.com/',
    'https://example.com.evil.org/',
    'https://localhost/callback',
    'https:example.com',
    'javascript:alert(1)',
    'data:text/html,x',
    '',
    'https://example.com/\ncallback',
  ])('may not lead to %j on the web', (uri) =>
    expect(errorOf(withRedirect(uri))).toBe(uri === 'https:example.com' ? undefined : 'invalid_redirect_uri'),
  );
  it.each([
    'com.example.app:/callback',
    'com.example:/',
    'com.example:callback',
    'http://localhost/callback',
    'http://127.0.0.1/callback',
    'http://[::1]/callback',
    'https://example.com/callback',
  ])('may lead to %s on a device', (uri) => expect(errorOf(withRedirect(uri, 'native'))).toBeUndefined());
  it.each([
    'example:/callback',
    'com.example.app://callback',
    'https://localhost/callback',
    'http://localhost:1234/callback',
    'http://localhost.evil.org/callback',
    'http://127.0.0.1@evil.org/',
    'http://192.168.0.1/callback',
    'com.examples:/callback',
    'javascript:/x',
    'com.example:/callback#x',
  ])('may not lead to %s on a device', (uri) =>
    expect(errorOf(withRedirect(uri, 'native'))).toBe('invalid_redirect_uri'),
  );

  it('is kept as far as it is known, in one order', () => {
    const client = parseClientMetadata({
      unknown: {},
      grant_types: ['refresh_token', 'urn:x', 'authorization_code'],
      response_types: ['token', 'code'],
      client_name: ' A\u202eB\nC ',
      'client_name#fr': 'non',
      ...BASE,
      tos_uri: 'https://legal.example.com/terms',
      logo_uri: null,
    });
    expect(client).toEqual({
      ...BASE,
      client_name: 'A B C',
      tos_uri: 'https://legal.example.com/terms',
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      application_type: 'web',
      token_endpoint_auth_method: 'none',
    });
  });

  it.each<JsonObject>([
    {},
    { client_uri: 'http://example.com' },
    { client_uri: 'https://user@example.com' },
    { client_uri: 'https://localhost' },
    { client_uri: 'https://javascript' },
    { client_uri: 'https://127.0.0.1' },
    { client_uri: 'https://[::1]' },
    { ...BASE, tos_uri: 'https://evil.org' },
    { ...BASE, logo_uri: 'http://example.com/x' },
    { ...BASE, client_name: 5 },
    { ...BASE, client_name: 'x'.repeat(129) },
    { ...BASE, application_type: 'other' },
    { ...BASE, token_endpoint_auth_method: 'client_secret_basic' },
    { ...BASE, grant_types: 'authorization_code' },
  ])('is refused as %j', (body) => expect(errorOf(() => parseClientMetadata(body))).toBe('invalid_client_metadata'));

  it('needs an address for answers, and no more than ten', () => {
    expect(errorOf(() => parseClientMetadata({ client_uri: BASE.client_uri }))).toBe('invalid_redirect_uri');
    const device = { client_uri: BASE.client_uri, grant_types: ['urn:ietf:params:oauth:grant-type:device_code'] };
    expect(errorOf(() => parseClientMetadata(device))).toBeUndefined();
    const many = Array.from({ length: 11 }, (_, i) => `https://example.com/${i}`);
    expect(errorOf(() => parseClientMetadata({ ...BASE, redirect_uris: many }))).toBe('invalid_redirect_uri');
  });
});

describe('the id of an application', () => {
  it('is what it says of itself, under the key of this server', () => {
    const [ids, others] = [new ClientIds(generateSigningKey()), new ClientIds(generateSigningKey())];
    const client = parseClientMetadata(BASE);
    const id = ids.of(client);
    expect([ids.of(parseClientMetadata({ ...BASE })), ids.find(id)]).toEqual([id, client]);
    for (const wrong of ['', '.', `${id}.x`, `x${id}`, id.slice(0, -2), others.of(client), 'x'.repeat(10_000)])
      expect(ids.find(wrong)).toBeUndefined();
  });
});

describe('an address for answers', () => {
  it('is one that was registered, letter by letter but for the port on the device itself', () => {
    const registered = ['https://example.com/callback', 'http://localhost/callback', 'http://[::1]/'];
    for (const uri of [...registered, 'http://localhost:1234/callback', 'http://[::1]:5/'])
      expect([uri, isRegistered(registered, uri)]).toEqual([uri, true]);
    for (const uri of [
      'https://example.com/callback/',
      'https://example.com:443/callback',
      'https://EXAMPLE.com/callback',
      'http://127.0.0.1:1234/callback',
      'http://localhost:1234/callback?x=y',
      'http://localhost:1@evil.org/callback',
      'http://localhost:123456/callback',
    ])
      expect([uri, isRegistered(registered, uri)]).toEqual([uri, false]);
  });

  it('takes the answer beside what it has', () => {
    const answer = { code: 'a&b', state: '#' };
    expect(withParameters('https://a.b/?x=y', 'query', answer)).toBe('https://a.b/?x=y&code=a%26b&state=%23');
    expect(withParameters('com.example:cb', 'query', answer)).toBe('com.example:cb?code=a%26b&state=%23');
    expect(withParameters('https://a.b/?x', 'fragment', answer)).toBe('https://a.b/?x#code=a%26b&state=%23');
  });
});

describe('a scope', () => {
  const api = 'urn:matrix:client:api:*';
  it('names one device and the API, by new names or old, and what is not known is left out', () => {
    expect(parseScope(`openid ${api} urn:matrix:client:device:AB.c-_~1 urn:matrix:client:other`)).toEqual({
      text: `${api} urn:matrix:client:device:AB.c-_~1`,
      deviceId: 'AB.c-_~1',
      isAdmin: false,
    });
    const old = 'urn:matrix:org.matrix.msc2967.client:';
    expect(parseScope(`${old}api:* ${old}device:A urn:matrix:client:device:A urn:synapse:admin:*`)).toMatchObject({
      deviceId: 'A',
      isAdmin: true,
    });
  });

  it.each([
    '',
    api,
    'urn:matrix:client:device:A',
    `${api} urn:matrix:client:device:A urn:matrix:client:device:B`,
    `${api} urn:matrix:client:device:`,
    `${api} urn:matrix:client:device:a/b`,
    `urn:matrix:client:api:read urn:matrix:client:device:A`,
    `${api} urn:matrix:client:device:A "`,
    `${api} urn:matrix:client:device:${'A'.repeat(1000)}`,
  ])('is refused as %j', (text) => expect(errorOf(() => parseScope(text))).toBe('invalid_scope'));
});

describe('where a browser goes back to', () => {
  it('is a page of this server and no other place', () => {
    const page = '/_annals/oauth2/authorize?client_id=x&redirect_uri=https%3A%2F%2Fevil.org';
    expect(ownPage(page)).toBe(page);
    for (const text of [
      undefined,
      'https://evil.org/_annals/account',
      '//evil.org/_annals/account',
      '/\\evil.org/_annals/account',
      '/_annals/account/../../x',
      '/_matrix/client/versions',
      'javascript:alert(1)',
      '/_annals/account@evil.org',
    ])
      expect(ownPage(text)).toBe('/_annals/account');
  });
});
