import { describe, expect, it } from 'vitest';
import { MappingFaults } from '../yaml-mapping.js';
import { readProviders } from './read-upstream-providers.js';

const LEAST = 'providers:\n- id: one\n  name: One\n  issuer: https://id.example.org\n  client_id: annals\n';

function faultsOf(text: string): readonly string[] {
  try {
    readProviders(text, () => 'from a file');
  } catch (error) {
    if (error instanceof MappingFaults) return error.faults;
    throw error;
  }
  return [];
}

describe('the file of the identity providers', () => {
  it('needs little, and takes the usual claims', () => {
    const [provider] = readProviders(LEAST);
    expect(provider).toMatchObject({
      id: 'one',
      clientAuth: 'none',
      scopes: ['openid', 'profile', 'email'],
      asksUserInfo: true,
      tellsAuthTime: true,
      userName: 'ask_if_taken',
      claims: { subject: [{ path: ['sub'] }], userName: [{ path: ['preferred_username'] }] },
      rules: { makesAccounts: true, linksExisting: false },
    });
    expect(provider).not.toHaveProperty('endpoints');
    expect(provider?.rules.adminGroups).toBeUndefined();
  });

  it('takes a secret of a file, and shows it with the request for tokens as usual', () => {
    const [provider] = readProviders(`${LEAST}  client_secret_file: /etc/secret\n`, () => 'a secret');
    expect(provider).toMatchObject({ clientSecret: 'a secret', clientAuth: 'basic' });
  });

  it.each([
    ['what is not YAML', 'a: [', 'not YAML ('],
    ['a list', '- a', 'not a mapping'],
    ['no providers', '{}', 'providers: must be a list of mappings'],
    ['another key', `${LEAST}  clientid: x\n`, 'providers[0].clientid: no such key'],
    ['an issuer without TLS', LEAST.replace('https', 'http'), 'providers[0].issuer: must be an https URL'],
    ['a name with capitals', LEAST.replace('id: one', 'id: One'), 'providers[0].id: must be a name of'],
    [
      'a name that is the directory’s',
      LEAST.replace('id: one', 'id: ldap'),
      'providers[0].id: this name has another meaning',
    ],
    ['a word that is none', `${LEAST}  user_name: always\n`, 'providers[0].user_name: must be one of ask_if_taken'],
    [
      'half of the endpoints',
      `${LEAST}  token_endpoint: https://id.example.org/t\n`,
      'providers[0].authorization_endpoint: needs',
    ],
    [
      'two secrets',
      `${LEAST}  client_secret: a\n  client_secret_file: b\n`,
      'providers[0].client_secret_file: there is a',
    ],
    ['a way to show no secret', `${LEAST}  client_auth: post\n`, 'providers[0].client_secret: required'],
    ['an open brace', `${LEAST}  claims: { user_name: '{sub' }\n`, 'providers[0].claims.user_name: must be a text'],
    ['no openid', `${LEAST}  scopes: [email]\n`, 'providers[0].scopes: openid'],
    [
      'what is no room',
      `${LEAST}  room_groups: { a: [lobby] }\n`,
      'providers[0].room_groups.a: must be a list of rooms',
    ],
    ['one id twice', `${LEAST}${LEAST.slice('providers:\n'.length)}`, 'providers[1].id: another provider has it'],
  ])('refuses %s', (_, text, fault) => {
    expect(faultsOf(text)).toContainEqual(expect.stringContaining(fault));
  });

  it('tells no secret', () => {
    const faults = faultsOf(`${LEAST}  client_secret: [hush]\n  icon: hush\n`).join();
    expect(faults).toContain('client_secret');
    expect(faults).not.toContain('hush');
  });

  it('speaks without TLS to what is on this machine', () => {
    for (const host of ['localhost:1', '127.0.0.1', '[::1]:80'])
      expect(faultsOf(LEAST.replace('https://id.example.org', `'http://${host}'`))).toEqual([]);
  });
});
