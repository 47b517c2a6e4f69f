import { readFileSync } from 'node:fs';
import { messageOf } from '#kernel/message-of';
import { ConfigError } from '../config-error.js';
import type { SsoConfig } from '../sso-config.js';
import { MappingFaults, MappingReader, parseMapping } from '../yaml-mapping.js';
import { readAccountRules } from './account-rules.js';
import { DN_PLACE, type LdapAttributes, type LdapDirectory, type LdapGroups, USER_PLACE } from './ldap-directory.js';
import { readSecretOf } from './read-secret.js';

const LOCAL_HOST = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const isFilter = (text: string): boolean => text.startsWith('(') && text.endsWith(')');
const isAttribute = (text: string): boolean => /^[A-Za-z][\w;.-]*$/.test(text);

function isDirectoryUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, username } = new URL(text);
  const isLdap = protocol === 'ldap:' || protocol === 'ldaps:';
  return isLdap && hostname !== '' && (pathname === '' || pathname === '/') && username === '';
}

/** Reads the file of the directory that the configuration names; undefined where it names none. Throws ConfigError with a line for each fault. */
export function readLdapDirectory({ ldapFile }: Pick<SsoConfig, 'ldapFile'>): LdapDirectory | undefined {
  if (ldapFile === undefined) return undefined;
  try {
    return readDirectory(readFileSync(ldapFile, 'utf8'));
  } catch (error) {
    const faults = error instanceof MappingFaults ? error.faults : [messageOf(error)];
    throw new ConfigError(...faults.map((fault) => `ANNALS_LDAP: ${ldapFile}: ${fault}`));
  }
}

/** The directory in the text of such a file. Throws MappingFaults. */
export function readDirectory(text: string, readFile = (path: string) => readFileSync(path, 'utf8')): LdapDirectory {
  const from = new MappingReader(parseMapping(text));
  const url = from.getText('url', 'ldap:// or ldaps:// with a host', isDirectoryUrl);
  const startTls = from.getFlag('start_tls', false);
  checkTls(from, url, startTls);
  const ca = readAuthorities(from, readFile);
  const userDn = from.findText('user_dn', `a name with ${USER_PLACE}`, (dn) => dn.includes(USER_PLACE));
  const bind = readBind(from, readFile);
  if ((bind === undefined) === (userDn === undefined)) from.fault('bind_dn', 'either this, or user_dn');
  const active = from.findText('active', 'a filter in brackets', isFilter);
  const filter = from.findText(
    'filter',
    `a filter in brackets with ${USER_PLACE}`,
    (one) => isFilter(one) && one.includes(USER_PLACE),
  );
  const groups = from.has('groups') ? readGroups(from.within('groups')) : undefined;
  const attributes = readAttributes(from.within('attributes'));
  const directory: LdapDirectory = {
    url,
    startTls,
    ...(ca === undefined ? {} : { ca }),
    ...(bind === undefined ? {} : { bind }),
    ...(userDn === undefined ? {} : { userDn }),
    base: from.getText('base', 'the name of the entry below which people are'),
    filter: filter ?? `(${attributes.userName}=${USER_PLACE})`,
    ...(active === undefined ? {} : { active }),
    attributes,
    ...(groups === undefined ? {} : { groups }),
    rules: readAccountRules(from),
  };
  from.refuseOthers();
  from.check();
  return Object.freeze(directory);
}

/** Passwords go over it. */
function checkTls(from: MappingReader, url: string, startTls: boolean): void {
  const isAllowed = from.getFlag('without_tls', false);
  if (url === '') return;
  const { protocol, hostname } = new URL(url);
  if (protocol === 'ldaps:' && startTls) from.fault('start_tls', 'ldaps:// has TLS from the start');
  const isPlain = protocol === 'ldap:' && !startTls;
  if (isPlain && !isAllowed && !LOCAL_HOST.test(hostname)) from.fault('start_tls', 'needed, or without_tls: true');
}

function readAuthorities(from: MappingReader, readFile: (path: string) => string): string | undefined {
  const path = from.findText('ca', 'the path of a file (PEM)');
  if (path === undefined) return undefined;
  try {
    return readFile(path);
  } catch (error) {
    return from.fault('ca', messageOf(error));
  }
}

function readBind(from: MappingReader, readFile: (path: string) => string): LdapDirectory['bind'] {
  const dn = from.findText('bind_dn', 'the name of an entry');
  const password = readSecretOf(from, 'bind_password', (path) => readFile(path).trim());
  if (dn === undefined && password === undefined) return undefined;
  if (dn === undefined || password === undefined) from.fault('bind_dn', 'needs bind_password, and that needs it');
  return { dn: dn ?? '', password: password ?? '' };
}

function readAttributes(from: MappingReader): LdapAttributes {
  const find = (key: string): string | undefined => from.findText(key, 'the name of an attribute', isAttribute);
  const [groups, email] = [find('groups'), find('email')];
  const attributes: LdapAttributes = {
    id: find('id') ?? 'entryUUID',
    userName: find('user_name') ?? 'uid',
    displayName: find('display_name') ?? 'cn',
    ...(email === undefined ? {} : { email }),
    ...(groups === undefined ? {} : { groups }),
  };
  from.refuseOthers();
  return Object.freeze(attributes);
}

function readGroups(from: MappingReader): LdapGroups {
  const words = `a filter in brackets with ${DN_PLACE} or ${USER_PLACE}`;
  const hasPlace = (text: string): boolean => isFilter(text) && (text.includes(DN_PLACE) || text.includes(USER_PLACE));
  const groups: LdapGroups = {
    base: from.getText('base', 'the name of the entry below which groups are'),
    filter: from.findText('filter', words, hasPlace) ?? `(member=${DN_PLACE})`,
    name: from.findText('name', 'the name of an attribute', isAttribute) ?? 'cn',
  };
  from.refuseOthers();
  return Object.freeze(groups);
}
