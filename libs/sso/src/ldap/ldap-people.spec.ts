import { describe, expect, it, vi } from 'vitest';
import type { LdapDirectory } from '#config/sso/ldap-directory';
import { LdapPeople } from './ldap-people.js';

const ALICE = 'uid=alice,ou=people,dc=example';

/** A directory of one person, to whom all names lead: its searches do not look at case. */
vi.mock('ldapts', () => {
  class InvalidCredentialsError extends Error {}
  class Client {
    async startTLS(): Promise<void> {}
    async unbind(): Promise<void> {}
    async search(): Promise<object> {
      return { searchEntries: [{ dn: ALICE, entryUUID: 'one', uid: 'alice' }] };
    }
    async bind(_dn: string, password: string): Promise<void> {
      if (password === 'wrong') throw new InvalidCredentialsError('no');
    }
  }
  const others = { NoSuchObjectError: class {}, InvalidDNSyntaxError: class {}, InappropriateAuthError: class {} };
  return { Client, InvalidCredentialsError, ...others };
});

const peopleOf = (more: Partial<LdapDirectory>): { people: LdapPeople; counts: Map<string, number> } => {
  const counts = new Map<string, number>();
  const add = (dn: string, by: number): void => void counts.set(dn, (counts.get(dn) ?? 0) + by);
  const attributes = { id: 'entryUUID', userName: 'uid', displayName: 'cn' };
  const directory = {
    url: 'ldap://localhost',
    startTls: false,
    base: 'dc=example',
    filter: '(uid={user})',
    attributes,
  };
  const guesses = { check: (dn: string) => add(dn, 1), giveBack: (dn: string) => add(dn, -1) };
  return { people: new LdapPeople({ ...directory, ...more } as unknown as LdapDirectory, guesses), counts };
};

describe('guesses of a password in a directory', () => {
  it.each([
    ['found by a search', { bind: { dn: 'cn=annals', password: 'x' } }],
    ['known by their names', { userDn: 'uid={user},ou=people,dc=example' }],
  ])('are counted together for one entry, whichever of its names is said: of people %s', async (_, more) => {
    const { people, counts } = peopleOf(more);
    for (const name of ['alice', 'Alice', 'ALICE']) expect(await people.find(name, 'wrong')).toBeUndefined();
    expect([...counts]).toEqual([[ALICE, 3]]);
    expect(await people.find('aLICE', 'right')).toMatchObject({ id: 'one', userName: 'alice' });
    expect([...counts]).toEqual([[ALICE, 3]]);
  });
});
