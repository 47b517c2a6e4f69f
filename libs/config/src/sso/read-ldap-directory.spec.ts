import { describe, expect, it } from 'vitest';
import { MappingFaults } from '../yaml-mapping.js';
import { readDirectory } from './read-ldap-directory.js';

const LEAST = { url: 'ldaps://directory.example', user_dn: 'uid={user},dc=example', base: 'dc=example' };

function faultsOf(settings: object): readonly string[] {
  try {
    readDirectory(JSON.stringify(settings), () => 'read');
  } catch (error) {
    if (error instanceof MappingFaults) return error.faults;
    throw error;
  }
  return [];
}

describe('the file of the directory', () => {
  it('needs little', () => {
    expect(readDirectory(JSON.stringify(LEAST))).toMatchObject({
      filter: '(uid={user})',
      attributes: { id: 'entryUUID', userName: 'uid', displayName: 'cn' },
      startTls: false,
      rules: { makesAccounts: true, linksExisting: false },
    });
    const groups = { base: 'ou=groups' };
    expect(readDirectory(JSON.stringify({ ...LEAST, groups })).groups).toEqual({
      base: 'ou=groups',
      filter: '(member={dn})',
      name: 'cn',
    });
  });

  it.each([
    ['another scheme', { url: 'https://directory.example' }, 'url: must be'],
    ['a path', { url: 'ldaps://directory.example/dc=x' }, 'url: must be'],
    ['no TLS', { url: 'ldap://directory.example' }, 'start_tls: needed'],
    ['TLS twice', { start_tls: true }, 'start_tls: ldaps'],
    ['two ways to find people', { bind_dn: 'cn=a', bind_password: 'b' }, 'bind_dn: either this, or user_dn'],
    ['half of who looks', { user_dn: undefined, bind_dn: 'cn=a' }, 'bind_dn: needs bind_password'],
    ['a name of everybody', { user_dn: 'uid=x,dc=example' }, 'user_dn: must be a name with {user}'],
    ['a filter of everybody', { filter: '(uid=*)' }, 'filter: must be a filter'],
    ['a filter without brackets', { active: 'a=b' }, 'active: must be a filter'],
    ['groups of nobody', { groups: { base: 'x', filter: '(a=b)' } }, 'groups.filter: must be a filter'],
    ['an attribute that is a filter', { attributes: { id: '(x' } }, 'attributes.id: must be the name of an attribute'],
    ['another key', { attributes: { uid: 'x' } }, 'attributes.uid: no such key'],
  ])('refuses %s', (_, settings, fault) => {
    expect(faultsOf({ ...LEAST, ...settings })).toContainEqual(expect.stringContaining(fault));
  });

  it('speaks without TLS on this machine, and where it is told to', () => {
    expect(faultsOf({ ...LEAST, url: 'ldap://127.0.0.1:389' })).toEqual([]);
    expect(faultsOf({ ...LEAST, url: 'ldap://directory.example', without_tls: true })).toEqual([]);
  });
});
