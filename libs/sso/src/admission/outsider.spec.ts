import { describe, expect, it } from 'vitest';
import { readProviders } from '#config/sso/read-upstream-providers';
import { localpartOfName } from './localpart-of.js';
import { outsiderOf } from './outsider.js';

describe('a name of elsewhere', () => {
  it.each([
    ['alice', 'alice'],
    ['Alice.B-C_d', 'alice.b-c_d'],
    ['alice@example.org', 'alice=40example.org'],
    ['_alice', '=5falice'],
    ['a=b', 'a=3db'],
    ['Ünal', '=c3=bcnal'],
  ])('%s is the localpart %s', (name, localpart) => expect(localpartOfName(name)).toBe(localpart));
});

describe('whom a provider tells of', () => {
  const [provider] = readProviders(
    JSON.stringify({
      providers: [
        {
          id: 'one',
          name: 'One',
          issuer: 'https://id.example',
          client_id: 'a',
          claims: { groups: 'realm.roles', user_name: '{email|before @}', email: '{email}', phone: '{phone_number}' },
          admin_groups: ['admins'],
          room_groups: { staff: ['#staff:a.example'] },
        },
      ],
    }),
  );
  const claims = { sub: 's', name: 'x'.repeat(300), email: 'Alice@a.example', realm: { roles: ['staff', 'cooks', 7] } };

  it('is known by what the operator says, with the groups that count', () => {
    expect(outsiderOf(provider!, claims)).toEqual({
      id: { provider: 'one', subject: 's' },
      userName: 'alice',
      displayName: 'x'.repeat(128),
      groups: ['staff'],
    });
  });

  it('has a mail address once the provider has seen to that', () => {
    expect(outsiderOf(provider!, { ...claims, email_verified: true }).email).toBe('Alice@a.example');
    expect(outsiderOf(provider!, { ...claims, email_verified: 'true' }).email).toBe('Alice@a.example');
    for (const other of [false, 'false', 1, 'yes', null, {}])
      expect(outsiderOf(provider!, { ...claims, email_verified: other }).email).toBeUndefined();
  });

  it('has a phone number once the provider has seen to that', () => {
    const withPhone = { ...claims, phone_number: '+49 151 1234567' };
    expect(outsiderOf(provider!, { ...withPhone, phone_number_verified: true }).phone).toBe('+49 151 1234567');
    for (const verified of [undefined, false, 'false', 1])
      expect(outsiderOf(provider!, { ...withPhone, phone_number_verified: verified }).phone).toBeUndefined();
  });

  it('is in no groups where nothing is claimed of them', () => {
    expect(outsiderOf(provider!, { sub: 's' }).groups).toEqual([]);
  });

  it('is nobody without a subject', () => {
    expect(() => outsiderOf(provider!, {})).toThrow('does not say who you are');
    expect(() => outsiderOf(provider!, { sub: 'x'.repeat(2000) })).toThrow('does not say who you are');
  });
});
