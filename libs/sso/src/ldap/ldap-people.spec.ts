import { describe, expect, it, vi } from 'vitest';
import type { LdapDirectory } from '#config/sso/ldap-directory';
import { LdapPeople } from './ldap-people.js';

const ALICE = 'uid=alice,ou=people,dc=example';

/** What it was asked. */
const steps: string[] = vi.hoisted(() => []);
/** With which filters it was searched. */
const filters: string[] = vi.hoisted(() => []);

/** A directory of one person, to whom all names lead: its searches do not look at case. */
vi.mock('ldapts', () => {
  class InvalidCredentialsError extends Error {}
  class UnwillingToPerformError extends Error {}
  class ConstraintViolationError extends Error {}
  class Client {
    async startTLS(): Promise<void> {}
    async unbind(): Promise<void> {}
    async search(_base: string, { filter }: { filter: string }): Promise<object> {
      steps.push('search');
      filters.push(filter);
      const isThere = !filter.includes('nobody');
      return { searchEntries: isThere ? [{ dn: ALICE, entryUUID: 'one', uid: 'alice', objectGUID: 'a\uFFFDb' }] : [] };
    }
    async bind(_dn: string, password: string): Promise<void> {
      steps.push('bind');
      if (password === 'wrong') throw new InvalidCredentialsError('no');
      if (password === 'of an account that is switched off') throw new UnwillingToPerformError('Account inactivated');
      if (password === 'of an account that is locked')
        throw new ConstraintViolationError('Exceed password retry limit');
      if (password === 'while the directory is busy') throw new Error('51');
    }
  }
  const others = { NoSuchObjectError: class {}, InvalidDNSyntaxError: class {}, InappropriateAuthError: class {} };
  return { Client, InvalidCredentialsError, UnwillingToPerformError, ConstraintViolationError, ...others };
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

it('a directory is asked the same of somebody who is not there as of somebody whose password is wrong', async () => {
  const groups = { base: 'dc=example', filter: '(member={dn})', name: 'cn' };
  for (const more of [{}, { groups }]) {
    const { people } = peopleOf({ bind: { dn: 'cn=annals', password: 'x' }, ...more } as Partial<LdapDirectory>);
    const asked: string[][] = [];
    for (const name of ['alice', 'nobody']) {
      steps.length = 0;
      expect(await people.find(name, 'wrong')).toBeUndefined();
      asked.push([...steps]);
    }
    expect(asked[1]).toEqual(asked[0]);
    expect(asked[0]).toHaveLength('groups' in more ? 4 : 3);
  }
});

it('somebody whose account the directory has switched off or locked is let in as little as with a wrong password, and the directory is there', async () => {
  for (const more of [{ bind: { dn: 'cn=annals', password: 'x' } }, { userDn: 'uid={user},dc=example' }]) {
    const { people } = peopleOf(more as Partial<LdapDirectory>);
    for (const password of ['of an account that is switched off', 'of an account that is locked'])
      expect(await people.find('alice', password)).toBeUndefined();
    await expect(people.find('alice', 'while the directory is busy')).rejects.toThrow('51');
  }
});

it('groups are looked for by the name that the directory has for somebody, whatever they typed', async () => {
  const groups = { base: 'dc=example', filter: '(memberUid={user})', name: 'cn' };
  for (const more of [{ bind: { dn: 'cn=annals', password: 'x' } }, { userDn: 'uid={user},dc=example' }]) {
    const { people } = peopleOf({ ...more, groups } as Partial<LdapDirectory>);
    filters.length = 0;
    await people.find('ALICE@mail.example', 'right');
    expect(filters.at(-1)).toBe('(memberUid=alice)');
  }
});

it('nobody is called what they typed for whom a search has found somebody without a name', async () => {
  const attributes = { id: 'entryUUID', userName: 'sAMAccountName', displayName: 'cn' };
  const found = peopleOf({ bind: { dn: 'cn=annals', password: 'x' }, attributes } as Partial<LdapDirectory>).people;
  await expect(found.find('administrator', 'right')).rejects.toThrow(`${ALICE} has no sAMAccountName`);
  expect(await found.find('administrator', 'wrong')).toBeUndefined();

  const known = peopleOf({ userDn: 'uid={user},dc=example', attributes } as Partial<LdapDirectory>).people;
  expect(await known.find('alice', 'right')).toMatchObject({ userName: 'alice' });
});

it('what the directory calls otherwise than the operator by case alone is found', async () => {
  const attributes = { id: 'entryuuid', userName: 'UID', displayName: 'CN' };
  const { people } = peopleOf({ bind: { dn: 'cn=annals', password: 'x' }, attributes } as Partial<LdapDirectory>);
  expect(await people.find('administrator', 'right')).toEqual({ id: 'one', userName: 'alice' });
});

it('nobody is told from others by bytes of which not all are left', async () => {
  const attributes = { id: 'objectguid', userName: 'uid', displayName: 'cn' };
  const { people } = peopleOf({ bind: { dn: 'cn=annals', password: 'x' }, attributes } as Partial<LdapDirectory>);
  expect(await people.find('alice', 'right')).toBeUndefined();
});
