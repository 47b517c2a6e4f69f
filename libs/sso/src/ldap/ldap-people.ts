import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Client, Entry, SearchOptions } from 'ldapts';
import { DN_PLACE, type LdapDirectory, USER_PLACE } from '#config/sso/ldap-directory';
import { Slots } from '#kernel/slots';
import { escapeDn, escapeFilter, firstValueOf } from './escape-dn.js';

type Ldap = typeof import('ldapts');

/** Somebody in the directory. */
export interface LdapPerson {
  readonly id: string;
  readonly userName: string;
  readonly displayName?: string;
  readonly email?: string;
  /** Undefined where nobody says anything of groups. */
  readonly groups?: readonly string[];
}

/** How often passwords of one entry are tried, whatever of its names was said. */
export interface Guesses {
  /** Counts one before it is tried. Throws M_LIMIT_EXCEEDED. */
  check(dn: string): void;
  /** It was none: the password was right. */
  giveBack(dn: string): void;
}

/** Somebody waits; the directory is near. */
const WITHIN_MS = 5_000;
/** Each is a connection of its own, which ends with it. */
const AT_ONCE = 8;
/** So many wait for that at most. */
const MOST_WAITING = 200;
const MOST_GROUPS = 1_000;

/** The people of a directory, by the names and passwords that they have there (LDAP version 3, simple binds). */
export class LdapPeople {
  readonly #slots = new Slots(AT_ONCE, MOST_WAITING);

  constructor(
    private readonly directory: LdapDirectory,
    private readonly guesses: Guesses,
  ) {}

  /**
   * Who has this name and this password; undefined where nobody has, or may not log in. Throws M_LIMIT_EXCEEDED as `Guesses` and where too many ask at once, what
   * ldapts throws where the directory cannot be asked, and where it has no name for them. Somebody who is not there takes as long as somebody whose password is wrong.
   */
  async find(user: string, password: string): Promise<LdapPerson | undefined> {
    // A bind with no password succeeds for everybody: RFC 4513, section 5.1.2.
    if (password === '' || user === '') return undefined;
    return this.#slots.run(() => this.#find(user, password));
  }

  async #find(user: string, password: string): Promise<LdapPerson | undefined> {
    // PERF: loaded where there is a directory, and not at each start.
    const ldap = await import('ldapts');
    const { url, ca, startTls, bind } = this.directory;
    const tlsOptions = tlsOptionsOf(new URL(url), ca);
    const isTls = url.startsWith('ldaps:');
    const client = new ldap.Client({
      url,
      timeout: WITHIN_MS,
      connectTimeout: WITHIN_MS,
      strictDN: false,
      ...(isTls ? { tlsOptions } : {}),
    });
    try {
      if (startTls) await client.startTLS(tlsOptions);
      return bind === undefined
        ? await this.#findByName(ldap, client, user, password)
        : await this.#findBySearch(ldap, client, bind, user, password);
    } finally {
      await client.unbind().catch(() => {});
    }
  }

  /** Who knows the names of entries: by a bind with that name. */
  async #findByName(ldap: Ldap, client: Client, user: string, password: string): Promise<LdapPerson | undefined> {
    const { userDn = '', active = '(objectClass=*)' } = this.directory;
    const dn = userDn.replaceAll(USER_PLACE, () => escapeDn(user));
    if (!(await this.#isTheirs(ldap, client, dn, password))) return undefined;
    const entry = await this.#only(client, dn, { scope: 'base', filter: active });
    return entry && this.#personOf(client, entry, user);
  }

  /** Who may look for people: by a search, then a bind with the name of what was found. */
  async #findBySearch(
    ldap: Ldap,
    client: Client,
    bind: NonNullable<LdapDirectory['bind']>,
    user: string,
    password: string,
  ): Promise<LdapPerson | undefined> {
    const { base, filter: template, active = '', groups } = this.directory;
    await client.bind(bind.dn, bind.password);
    const named = template.replaceAll(USER_PLACE, () => escapeFilter(user));
    const entry = await this.#only(client, base, {
      scope: 'sub',
      filter: active === '' ? named : `(&${named}${active})`,
    });
    const person = entry && (await this.#personOf(client, entry, user));
    if (entry !== undefined) {
      if (!(await this.#isTheirs(ldap, client, entry.dn, password))) return undefined;
      this.#checkNamed(entry);
      return person;
    }
    const nobody = `cn=${randomBytes(8).toString('hex')},${base}`;
    // As of somebody who is there: how long it takes would tell.
    if (groups !== undefined) await this.#groupsOf(client, groups, nobody, user);
    await isBound(ldap, client, nobody, password);
    return undefined;
  }

  /**
   * Throws where the directory has no name for somebody: what they typed is what a filter takes, as a mail address that they may have written into their entry themselves, and by
   * that they would be whom they like.
   */
  #checkNamed(entry: Entry): void {
    const { userName } = this.directory.attributes;
    if (valuesOf(entry, userName).length > 0) return;
    throw new Error(`${entry.dn} has no ${userName} (set attributes.user_name to what everybody there has)`);
  }

  /** As `isBound`, and counted. */
  async #isTheirs(ldap: Ldap, client: Client, dn: string, password: string): Promise<boolean> {
    // Names of entries are alike whatever their case and spaces (RFC 4518).
    const counted = dn.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ');
    this.guesses.check(counted);
    const isTheirs = await isBound(ldap, client, dn, password);
    if (isTheirs) this.guesses.giveBack(counted);
    return isTheirs;
  }

  /** The one entry that a search finds. Of several nobody knows who is meant. */
  async #only(
    client: Client,
    base: string,
    search: { readonly scope: 'base' | 'sub'; readonly filter: string },
  ): Promise<Entry | undefined> {
    const { id, userName, displayName, email, groups } = this.directory.attributes;
    const further = [email, groups].filter((name) => name !== undefined);
    const { searchEntries } = await client.search(base, {
      ...search,
      attributes: [id, userName, displayName, ...further],
      explicitBufferAttributes: [id],
      sizeLimit: 2,
    });
    return searchEntries.length === 1 ? searchEntries[0] : undefined;
  }

  async #personOf(client: Client, entry: Entry, user: string): Promise<LdapPerson | undefined> {
    const { attributes, groups: elsewhere } = this.directory;
    const [id] = valuesOf(entry, attributes.id);
    // Bytes that were taken for text would be those of several people.
    if (id === undefined || id.includes('\uFFFD')) return undefined;
    const [userName = user] = valuesOf(entry, attributes.userName);
    const [displayName] = valuesOf(entry, attributes.displayName);
    const [email] = attributes.email === undefined ? [] : valuesOf(entry, attributes.email);
    const saysGroups = attributes.groups !== undefined || elsewhere !== undefined;
    const own = attributes.groups === undefined ? [] : valuesOf(entry, attributes.groups);
    // By the name that the directory has for them, not the one they typed: that may be a mail address, or what they have written into their entry themselves.
    const found = elsewhere === undefined ? [] : await this.#groupsOf(client, elsewhere, entry.dn, userName);
    const groups = [...own.flatMap((group) => [group, firstValueOf(group) ?? group]), ...found];
    return {
      id,
      userName,
      ...(displayName === undefined ? {} : { displayName }),
      ...(email === undefined ? {} : { email }),
      ...(saysGroups ? { groups } : {}),
    };
  }

  async #groupsOf(
    client: Client,
    { base, filter, name }: NonNullable<LdapDirectory['groups']>,
    dn: string,
    user: string,
  ): Promise<string[]> {
    const named = filter.replaceAll(DN_PLACE, () => escapeFilter(dn)).replaceAll(USER_PLACE, () => escapeFilter(user));
    const search: SearchOptions = { scope: 'sub', filter: named, attributes: [name], sizeLimit: MOST_GROUPS };
    const { searchEntries } = await client.search(base, search);
    return searchEntries.flatMap((entry) => [entry.dn, ...valuesOf(entry, name)]);
  }
}

/** Whose certificate it must be. */
function tlsOptionsOf({ hostname }: URL, ca: string | undefined): ConnectionOptions {
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    // Addresses are asked for by no name: RFC 6066, section 3.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
  };
}

/**
 * Whether a password is an entry's, and good for it. Directories say of an entry that is locked or switched off that they are unwilling, or that a constraint forbids it (389 and
 * FreeIPA: `nsAccountLock`, lockout), which is said of one person: the directory is there.
 */
async function isBound(ldap: Ldap, client: Client, dn: string, password: string): Promise<boolean> {
  try {
    await client.bind(dn, password);
    return true;
  } catch (error) {
    const isWrong =
      error instanceof ldap.InvalidCredentialsError ||
      error instanceof ldap.NoSuchObjectError ||
      error instanceof ldap.InvalidDNSyntaxError ||
      error instanceof ldap.InappropriateAuthError ||
      error instanceof ldap.UnwillingToPerformError ||
      error instanceof ldap.ConstraintViolationError;
    if (isWrong) return false;
    throw error;
  }
}

/** By a name as the operator writes it: whatever its case, it is that of the directory (RFC 4512, 2.5). What is no text (Active Directory's objectGUID) in hexadecimal digits. */
function valuesOf(entry: Entry, name: string): string[] {
  const called = Object.keys(entry).find((key) => key.toLowerCase() === name.toLowerCase());
  const value = called === undefined ? [] : entry[called]!;
  const values = Array.isArray(value) ? value : [value];
  return values
    .map((one) =>
      typeof one === 'string'
        ? one
        : /^[\x20-\x7e]+$/.test(one.toString('latin1'))
          ? one.toString()
          : one.toString('hex'),
    )
    .filter((one) => one !== '');
}
