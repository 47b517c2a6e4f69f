import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.js';
import { RATE_LIMITS } from './rate-limits.js';
import { ConfigError } from './config-error.js';

function refusal(env: Record<string, string>, yaml?: string): string {
  try {
    loadConfig(env, yaml);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('was accepted');
}

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(loadConfig({ PATH: '/bin' })).toMatchObject({
      serverName: 'localhost:8008',
      isServerNameDefault: true,
      listen: { host: '127.0.0.1', port: 8008 },
      publicUrl: 'http://127.0.0.1:8008',
      dataDir: resolve('./data'),
      registration: 'token',
      federation: true,
      federationAllow: undefined,
      federationDeny: [],
      federationNotaries: ['matrix.org'],
      federationAllowPrivate: false,
      federationAddress: undefined,
      appservices: [],
      media: {
        maxBytes: 104_857_600,
        quotaBytes: undefined,
        cacheBytes: 10_737_418_240,
        cacheDays: undefined,
        isFrozen: true,
        freeRedactedMs: undefined,
        bucket: undefined,
      },
      mail: undefined,
      digests: { afterMs: 600_000, isForNewUsers: false, clientUrl: undefined },
      oauth: false,
      loginFlows: undefined,
      registrationEmail: 'optional',
      previews: { isOn: true, deny: [], privateHosts: [] },
      stickyEvents: false,
      purge: { afterMs: undefined, except: [] },
      forgetsLeftRooms: false,
      retention: { isOn: false },
      rateLimits: true,
      rateLimitFigures: RATE_LIMITS,
      presence: true,
      presenceElsewhere: true,
      log: 'info',
      eventStoreUrl: undefined,
      eventStoreNamespace: 'annals',
      renewViewsEveryMs: 86_400_000,
      recaptcha: undefined,
      terms: undefined,
      areTermsRequired: true,
    });
  });

  it('makes a user of the name for notices, where there is one', () => {
    expect(loadConfig({}).notices).toBeUndefined();
    const env = { ANNALS_SERVER_NAME: 'example.org', ANNALS_NOTICES_USER: 'notices' };
    expect(loadConfig(env).notices).toEqual({ userId: '@notices:example.org', name: 'Server notices' });
    const more = { ANNALS_NOTICES_NAME: 'The pub', ANNALS_NOTICES_AVATAR: 'mxc://example.org/sign' };
    expect(loadConfig({ ...env, ...more }).notices).toMatchObject({
      name: 'The pub',
      avatarUrl: 'mxc://example.org/sign',
    });
    for (const wrong of [
      { ANNALS_NOTICES_USER: '@notices:example.org' },
      { ANNALS_NOTICES_AVATAR: 'https://example.org/x' },
    ])
      expect(() => loadConfig(wrong)).toThrow();
  });

  it('trusts one authentication service, or is one itself', () => {
    const env = { ANNALS_MAS_URL: 'http://mas.lan:8080/', ANNALS_MAS_SECRET: 'a secret', ANNALS_REGISTRATION: 'open' };
    expect(loadConfig(env)).toMatchObject({
      mas: { url: 'http://mas.lan:8080', secret: 'a secret' },
      registration: 'closed',
      oauth: false,
    });
    for (const wrong of [
      { ...env, ANNALS_OAUTH: 'on' },
      { ANNALS_MAS_URL: env.ANNALS_MAS_URL },
      { ANNALS_MAS_SECRET: 'x' },
    ])
      expect(() => loadConfig(wrong)).toThrow(/MAS/);
  });

  it('sends mails from an address of its own name, where nothing else is said', () => {
    const env = { ANNALS_SERVER_NAME: 'example.org:8448', ANNALS_SMTP_URL: 'smtp://mail.example.org' };
    expect(loadConfig(env).mail).toEqual({ smtpUrl: 'smtp://mail.example.org', from: 'noreply@example.org' });
    const from = 'The pub <pub@example.org>';
    expect(loadConfig({ ...env, ANNALS_MAIL_FROM: from }).mail).toMatchObject({ from });
    const unread = { ANNALS_MAIL_UNREAD_AFTER: '1h', ANNALS_MAIL_UNREAD_FOR_NEW_USERS: 'on' };
    const { digests } = loadConfig({ ...env, ...unread, ANNALS_MAIL_CLIENT_URL: 'https://app.example.org/' });
    expect(digests).toEqual({ afterMs: 3_600_000, isForNewUsers: true, clientUrl: 'https://app.example.org' });
    expect(() => loadConfig({ ANNALS_MAIL_UNREAD_FOR_NEW_USERS: 'on' })).toThrow('ANNALS_SMTP_URL');
    expect(() => loadConfig({ ...env, ANNALS_MAIL_UNREAD_AFTER: 'soon' })).toThrow('ANNALS_MAIL_UNREAD_AFTER');
    for (const wrong of ['pub', 'a@example.org, b@example.org', 'Pub <a@example.org> <b@example.org>'])
      expect(() => loadConfig({ ...env, ANNALS_MAIL_FROM: wrong })).toThrow('ANNALS_MAIL_FROM');
    expect(() => loadConfig({ ANNALS_MAIL_FROM: 'a@example.org' })).toThrow('ANNALS_SMTP_URL');
  });

  it('has ways to log in of several stages', () => {
    const flows = 'm.login.password+m.login.email.code, m.login.sso';
    expect(loadConfig({ ANNALS_LOGIN_FLOWS: flows }).loginFlows).toEqual([
      ['m.login.password', 'm.login.email.code'],
      ['m.login.sso'],
    ]);
    expect(() => loadConfig({ ANNALS_LOGIN_FLOWS: 'm.login.password+' })).toThrow('ANNALS_LOGIN_FLOWS');
  });

  it('lets the environment win over the file', () => {
    const yaml = 'server_name: example.org\nlisten: 0.0.0.0:80\n';
    const config = loadConfig({ ANNALS_LISTEN: '[::1]:8009' }, yaml);
    expect(config.serverName).toBe('example.org');
    expect(config.listen).toEqual({ host: '::1', port: 8009 });
    expect(config.publicUrl).toBe('http://[::1]:8009');
  });

  it('reads lists, numbers and switches of YAML', () => {
    const config = loadConfig(
      {},
      'listen: 9000\nrate_limits: false\npresence: off\nsticky_events: true\nappservices: [a.yaml, /b.yaml]\nsmtp_url: off\n',
    );
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 9000 });
    expect([config.rateLimits, config.presence, config.stickyEvents]).toEqual([false, false, true]);
    expect(config.appservices).toEqual([resolve('a.yaml'), '/b.yaml']);
    expect(config.mail).toBeUndefined();
  });

  it('finds where other servers reach it by its public URL, unless told', () => {
    const addressOf = (env: Record<string, string>): string | undefined => loadConfig(env).federationAddress;
    expect(addressOf({ ANNALS_PUBLIC_URL: 'https://matrix.example.org/' })).toBe('matrix.example.org:443');
    expect(addressOf({ ANNALS_PUBLIC_URL: 'https://matrix.example.org:8443' })).toBe('matrix.example.org:8443');
    expect(addressOf({ ANNALS_PUBLIC_URL: 'http://matrix.example.org' })).toBeUndefined();
    expect(addressOf({ ANNALS_PUBLIC_URL: 'https://example.org/matrix' })).toBeUndefined();
    const told = { ANNALS_PUBLIC_URL: 'https://matrix.example.org', ANNALS_FEDERATION_ADDRESS: 'example.org:8448' };
    expect(addressOf(told)).toBe('example.org:8448');
  });

  it('refuses a public URL with a path where people have pages, which are at the root', () => {
    const at = (url: string): Record<string, string> => ({ ANNALS_OAUTH: 'on', ANNALS_PUBLIC_URL: url });
    expect(refusal(at('https://example.org/chat/'))).toBe(
      'ANNALS_PUBLIC_URL: has a path, which does not go with ANNALS_OAUTH=on (is "https://example.org/chat/")',
    );
    expect(loadConfig(at('https://example.org/')).publicUrl).toBe('https://example.org');
    expect(loadConfig({ ANNALS_PUBLIC_URL: 'https://example.org/chat' }).publicUrl).toBe('https://example.org/chat');
  });

  it('reads lists of servers', () => {
    const config = loadConfig(
      { ANNALS_FEDERATION_DENY: '*.bad.example' },
      'federation_allow: [example.org, "*.example.com"]',
    );
    expect(config.federationAllow).toEqual(['example.org', '*.example.com']);
    expect(config.federationDeny).toEqual(['*.bad.example']);
    expect(loadConfig({}, 'federation: off').federation).toBe(false);
    expect(loadConfig({}, 'federation_notaries: [a.example, b.example]').federationNotaries).toEqual([
      'a.example',
      'b.example',
    ]);
    expect(loadConfig({ ANNALS_FEDERATION_NOTARIES: 'off' }).federationNotaries).toEqual([]);
    expect(loadConfig({}, 'federation_notaries: off').federationNotaries).toEqual([]);
    const gateways = loadConfig({ ANNALS_PUSH_PRIVATE_GATEWAYS: 'Push.LAN, 10.0.0.5:8443' }).pushPrivateGateways;
    expect([gateways, loadConfig({}).pushPrivateGateways]).toEqual([['push.lan', '10.0.0.5:8443'], []]);
  });

  it.each([
    ['localhost:8448', 'true', ['localhost']],
    ['localhost:8448', 'false', []],
    ['localhost.example:8448', 'true', []],
    ['example.org', 'true', []],
  ])('lets %s, private neighbours %s, ask the push gateways %j of this machine', (name, allowed, gateways) => {
    const settings = { ANNALS_SERVER_NAME: name, ANNALS_FEDERATION_ALLOW_PRIVATE: allowed };
    expect(loadConfig(settings).pushPrivateGateways).toEqual(gateways);
    const named = { ...settings, ANNALS_PUSH_PRIVATE_GATEWAYS: 'push.lan' };
    expect(loadConfig(named).pushPrivateGateways).toEqual(['push.lan']);
  });

  it('says which identity servers may be asked, and which may be near', () => {
    const near = { ANNALS_IDENTITY_PRIVATE_SERVERS: 'ID.lan:8090' };
    expect(loadConfig(near).identityServers).toEqual({ allowed: ['*'], trusted: [], privateServers: ['id.lan:8090'] });
    const yaml = 'identity_servers: [vector.im, "*.example.org"]\nidentity_trusted_servers: Vector.IM\n';
    const named = { allowed: ['vector.im', '*.example.org'], trusted: ['vector.im'], privateServers: [] };
    expect(loadConfig({}, yaml).identityServers).toEqual(named);
    expect(loadConfig({ ANNALS_IDENTITY_SERVERS: 'off' }).identityServers.allowed).toEqual([]);
  });

  it('takes an empty value for an absent one', () => {
    expect(loadConfig({ ANNALS_EVENT_STORE_URL: '', ANNALS_REGISTRATION: '' })).toMatchObject({
      eventStoreUrl: undefined,
      eventStoreNamespace: 'annals',
      registration: 'token',
    });
  });

  it('names a key that it does not know, in the environment and in the file', () => {
    expect(refusal({ ANNALS_LISTNE: 'x' })).toBe('ANNALS_LISTNE: no such setting');
    expect(refusal({}, 'listne: x')).toBe('annals.yaml: listne: no such setting');
    expect(refusal({}, 'constructor: x')).toBe('annals.yaml: constructor: no such setting');
  });

  it('leaves alone what a launcher says of itself', () => {
    expect(loadConfig({ ANNALS_DIR: '/opt/annals', ANNALS_CMD: 'npm start' })).toEqual(loadConfig({}));
  });

  it('makes the server an identity server where its roles have that, with terms where it has some', () => {
    expect(loadConfig({}).identityRole).toBeUndefined();
    const today = { v1: true, plainLookup: true };
    expect(loadConfig({ ANNALS_ROLES: 'all,identity' })).toMatchObject({ isHomeserver: true, identityRole: today });
    const terms = { url: 'https://id.example/terms', version: '2.0' };
    const settings = { ANNALS_IDENTITY_TERMS_URL: terms.url, ANNALS_IDENTITY_TERMS_VERSION: terms.version };
    expect(loadConfig({}, 'roles: [all, identity]').identityRole).toEqual(today);
    expect(loadConfig({ ANNALS_ROLES: 'all,identity', ...settings }).identityRole).toEqual({ terms, ...today });
    const roleOf = (name: string) => loadConfig({ ANNALS_ROLES: 'all,identity', [name]: 'off' }).identityRole;
    expect(roleOf('ANNALS_IDENTITY_PLAIN_LOOKUP')).toEqual({ v1: true, plainLookup: false });
    expect(roleOf('ANNALS_IDENTITY_V1')).toEqual({ v1: false, plainLookup: false });
    const [key, other] = ['A'.repeat(43), 'B'.repeat(43)];
    const peers = `id.example.com ${key}, id.example.net:8448 ${other} https://matrix.example.net:8443/`;
    expect(loadConfig({ ANNALS_ROLES: 'all,identity', ANNALS_IDENTITY_PEERS: peers }).identityRole?.peers).toEqual([
      { name: 'id.example.com', publicKey: key, url: 'https://id.example.com' },
      { name: 'id.example.net:8448', publicKey: other, url: 'https://matrix.example.net:8443' },
    ]);
    for (const wrong of [
      'id.example.com',
      `id.example.com ${key.slice(1)}`,
      `id.example.com ${key} http://id.example.com`,
    ]) {
      expect(() => loadConfig({ ANNALS_IDENTITY_PEERS: wrong })).toThrow('ANNALS_IDENTITY_PEERS');
    }
  });

  it.each([
    ['ANNALS_IDENTITY_TERMS_URL', 'https://id.example/terms'],
    ['ANNALS_IDENTITY_TERMS_VERSION', '2.0'],
    ['ANNALS_IDENTITY_V1', 'off'],
    ['ANNALS_IDENTITY_V1', 'on'],
    ['ANNALS_IDENTITY_PLAIN_LOOKUP', 'off'],
    ['ANNALS_IDENTITY_PEERS', `id.example.com ${'A'.repeat(43)}`],
  ])('refuses what is said of an identity server where it is none: %s=%s', (name, value) => {
    expect(refusal({ [name]: value })).toBe(`${name}: needs identity in ANNALS_ROLES too`);
  });

  it('refuses what is said of terms that there are none of, and of look-ups in an API that is off', () => {
    const ROLES = { ANNALS_ROLES: 'all,identity' };
    const version = refusal({ ...ROLES, ANNALS_IDENTITY_TERMS_VERSION: '2.0' });
    expect(version).toBe('ANNALS_IDENTITY_TERMS_VERSION: needs ANNALS_IDENTITY_TERMS_URL too');
    const plain = refusal({ ...ROLES, ANNALS_IDENTITY_V1: 'off', ANNALS_IDENTITY_PLAIN_LOOKUP: 'on' });
    expect(plain).toBe('ANNALS_IDENTITY_PLAIN_LOOKUP: does not go with ANNALS_IDENTITY_V1=off');
  });

  it('makes it nothing but one where it has no other role: then nobody registers', () => {
    const alone = loadConfig({ ANNALS_ROLES: 'identity', ANNALS_REGISTRATION: 'open' });
    expect(alone).toMatchObject({ isHomeserver: false, registration: 'closed', identityRole: { v1: true } });
  });

  it('has messages brought to phones by a gateway, or into the log', () => {
    expect(loadConfig({}).textMessages).toBeUndefined();
    expect(loadConfig({ ANNALS_TEXT_MESSAGES: 'log' }).textMessages).toEqual({});
    const url = 'https://sms.example/send';
    expect(loadConfig({ ANNALS_TEXT_MESSAGES: url }).textMessages).toEqual({
      gateway: { url, body: { to: '{number}', text: '{text}' } },
    });
    const yaml = `text_messages: ${url}\ntext_messages_authorization: Bearer x\ntext_messages_countries: [de, AT]\n`;
    expect(loadConfig({ ANNALS_TEXT_MESSAGES_BODY: '{"a": "{digits} {text}"}' }, yaml).textMessages).toEqual({
      gateway: { url, authorization: 'Bearer x', body: { a: '{digits} {text}' } },
      countries: ['DE', 'AT'],
    });
    expect(refusal({ ANNALS_TEXT_MESSAGES: 'carrier pigeon' })).toMatch(/^ANNALS_TEXT_MESSAGES: .*gateway, or log$/);
    for (const body of ['{', '{"to": "{number}"}', '{"text": "{text}"}']) {
      const refused = refusal({ ANNALS_TEXT_MESSAGES: url, ANNALS_TEXT_MESSAGES_BODY: body });
      expect(refused).toBe('ANNALS_TEXT_MESSAGES_BODY: must be JSON with {number} or {digits} and {text} in it');
    }
    const besides = { AUTHORIZATION: 'x', COUNTRIES: 'DE', BODY: '{"a": "{digits} {text}"}' };
    for (const [name, value] of Object.entries(besides)) {
      expect(refusal({ [`ANNALS_TEXT_MESSAGES_${name}`]: value })).toContain('needs ANNALS_TEXT_MESSAGES too');
    }
    expect(refusal({ ANNALS_REGISTRATION_PHONE: 'required' })).toContain('needs ANNALS_TEXT_MESSAGES too');
  });

  it.each([
    ['ANNALS_SERVER_NAME', 'not a name'],
    ['ANNALS_LISTEN', '127.0.0.1:99999'],
    ['ANNALS_FEDERATION_LISTEN', 'everywhere'],
    ['ANNALS_PUBLIC_URL', 'example.org'],
    ['ANNALS_REGISTRATION', 'maybe'],
    ['ANNALS_RATE_LIMITS', 'yes'],
    ['ANNALS_RATE_LIMIT_FIGURES', 'sending=1:1'],
    ['ANNALS_RATE_LIMIT_FIGURES', 'send=0:1'],
    ['ANNALS_RATE_LIMIT_FIGURES', 'send=1:0'],
    ['ANNALS_RATE_LIMIT_FIGURES', 'send=1:1,constructor=1:1'],
    ['ANNALS_PRESENCE', 'sometimes'],
    ['ANNALS_LOG', 'loud'],
    ['ANNALS_ROLES', 'federation'],
    ['ANNALS_FEDERATION_ALLOW_PRIVATE', '1'],
    ['ANNALS_PUSH_PRIVATE_GATEWAYS', 'https://push.lan'],
    ['ANNALS_FEDERATION', 'true'],
    ['ANNALS_FEDERATION_ALLOW', 'example.org, not a name'],
    ['ANNALS_FEDERATION_DENY', 'example.org,,'],
    ['ANNALS_FEDERATION_ADDRESS', 'https://example.org'],
    ['ANNALS_SUPPORT_MATRIX_ID', 'alice'],
    ['ANNALS_SUPPORT_EMAIL', 'nobody'],
    ['ANNALS_SUPPORT_PAGE', 'example.org'],
    ['ANNALS_TURN_URIS', 'turn.example.org'],
    ['ANNALS_TURN_LIFETIME', '10'],
    ['ANNALS_LIVEKIT_SERVICE_URL', 'livekit.example.org'],
    ['ANNALS_LIVEKIT_URL', 'https://livekit.example.org'],
    ['ANNALS_LIVEKIT_API_URL', 'ws://livekit.example.org'],
    ['ANNALS_LIVEKIT_PUBLISHERS', 'a server'],
    ['ANNALS_TRUST_PROXY', 'everyone!'],
    ['ANNALS_TRUST_PROXY', '10.0.0.1, 10.0.0.0/99'],
    ['ANNALS_TRUST_PROXY', '::::'],
    ['ANNALS_TRUST_PROXY', '10.0.0.0/'],
  ])('names %s when its value is wrong, on one line', (name, value) => {
    const message = refusal({ [name]: value });
    expect(message).toMatch(new RegExp(`^${name}: must be `));
    expect(message).toContain(JSON.stringify(value));
    expect(message).not.toContain('\n');
  });

  it('never shows a secret', () => {
    expect(refusal({ ANNALS_READ_MODELS_URL: 'postgres://user:hunter2@host' })).not.toContain('hunter2');
    expect(refusal({ ANNALS_SMTP_URL: 'ftp://user:hunter2@host' })).toMatch(/^ANNALS_SMTP_URL: must be a URL/);
  });

  it('wants both halves of a pair', () => {
    expect(refusal({ ANNALS_TLS_CERT: 'c.pem' })).toBe('ANNALS_TLS_CERT: needs ANNALS_TLS_KEY too');
    expect(refusal({ ANNALS_FEDERATION_LISTEN: ':8448' })).toBe('ANNALS_FEDERATION_LISTEN: needs ANNALS_TLS_CERT too');
    expect(refusal({ ANNALS_TURN_SECRET: 'hunter2' })).toBe('ANNALS_TURN_SECRET: needs ANNALS_TURN_URIS too');
    expect(loadConfig({ ANNALS_TURN_SECRET: 's', ANNALS_TURN_URIS: 'turn:a, turns:b:5349' }).turn).toEqual({
      uris: ['turn:a', 'turns:b:5349'],
      secret: 's',
      lifetimeSeconds: 86_400,
    });
    const livekit = { ANNALS_LIVEKIT_URL: 'wss://sfu.example.org/', ANNALS_LIVEKIT_KEY: 'k' };
    expect(refusal(livekit)).toBe('ANNALS_LIVEKIT_URL: needs ANNALS_LIVEKIT_SECRET too');
    expect(refusal({ ANNALS_LIVEKIT_SECRET: 'hunter2' })).toBe('ANNALS_LIVEKIT_SECRET: needs ANNALS_LIVEKIT_URL too');
    const carried = loadConfig({ ...livekit, ANNALS_LIVEKIT_SECRET: 's', ANNALS_PUBLIC_URL: 'https://m.example.org/' });
    expect(carried.livekit).toEqual({
      url: 'wss://sfu.example.org/',
      apiUrl: 'https://sfu.example.org',
      key: 'k',
      secret: 's',
      publishers: [],
    });
    expect(carried.rtcTransports).toEqual([
      {
        type: 'livekit',
        livekit_service_url: 'https://m.example.org/_matrix/client/unstable/dev.annals.livekit',
      },
    ]);
    const bucket = { ANNALS_MEDIA_BUCKET: 'https://s3.example.org/media', ANNALS_MEDIA_BUCKET_KEY_ID: 'k' };
    expect(refusal(bucket)).toBe('ANNALS_MEDIA_BUCKET: needs ANNALS_MEDIA_BUCKET_SECRET too');
    expect(refusal({ ANNALS_MEDIA_BUCKET: 'ftp://user:hunter2@x' })).not.toContain('hunter2');
    expect(loadConfig({ ...bucket, ANNALS_MEDIA_BUCKET_SECRET: 's' }).media.bucket).toEqual({
      url: 'https://s3.example.org/media',
      keyId: 'k',
      secret: 's',
      region: 'auto',
    });
    expect(refusal({ ANNALS_RECAPTCHA_SECRET: 's' })).not.toContain(' s ');
    expect(loadConfig({ ANNALS_RECAPTCHA_SECRET: 's', ANNALS_RECAPTCHA_SITE_KEY: 'k' }).recaptcha).toEqual({
      siteKey: 'k',
      secret: 's',
      verifyUrl: 'https://www.google.com/recaptcha/api/siteverify',
      scriptUrl: 'https://www.google.com/recaptcha/api.js',
    });
  });

  it('refuses a file that is no mapping, or no YAML, in one line', () => {
    expect(refusal({}, '- a\n- b')).toBe('annals.yaml: not a mapping');
    expect(refusal({}, 'a: [')).toMatch(/^annals\.yaml: /);
    expect(refusal({}, 'a: [')).not.toContain('\n');
    expect(refusal({}, 'log: !loud info')).toMatch(/^annals\.yaml: Unresolved tag: !loud/);
    expect(refusal({}, 'listen: {host: x}')).toBe('annals.yaml: listen: must be a single value');
    expect(refusal({}, 'trust_proxy: &all [127.0.0.1, *all]')).toBe('annals.yaml: trust_proxy: must be a single value');
    expect(refusal({}, 'log: [info, debug]')).toMatch(/^annals\.yaml: log: must be one of/);
  });

  it('knows how often the views are renewed, and that they may not be', () => {
    expect(loadConfig({ ANNALS_RENEW_VIEWS_EVERY: '12h' }).renewViewsEveryMs).toBe(43_200_000);
    expect(loadConfig({ ANNALS_RENEW_VIEWS_EVERY: 'off' }).renewViewsEveryMs).toBeUndefined();
    expect(refusal({ ANNALS_RENEW_VIEWS_EVERY: 'daily' })).toMatch(
      /^ANNALS_RENEW_VIEWS_EVERY: must be a time .*, or off /,
    );
  });

  it('reads for how long messages are kept', () => {
    const told = { ANNALS_RETENTION: 'on', ANNALS_RETENTION_DEFAULT_MAX: '1y', ANNALS_RETENTION_ALLOWED_MIN: '12h' };
    const day = 24 * 60 * 60_000;
    expect(loadConfig(told).retention).toEqual({ isOn: true, defaultMaxMs: 365 * day, allowedMinMs: day / 2 });
    expect(refusal({ ANNALS_RETENTION_DEFAULT_MAX: '1 year' })).toMatch(
      /^ANNALS_RETENTION_DEFAULT_MAX: must be a time/,
    );
    expect(refusal({ ...told, ANNALS_RETENTION_ALLOWED_MAX: '1h' })).toBe(
      'ANNALS_RETENTION_ALLOWED_MIN: is more than ANNALS_RETENTION_ALLOWED_MAX',
    );
  });

  it('is frozen', () => {
    const config = loadConfig({});
    expect(() => Object.assign(config, { serverName: 'other' })).toThrow(TypeError);
  });
});
