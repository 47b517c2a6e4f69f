import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Attribute, Change } from 'ldapts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, Client, Homeserver, registerAt } from './support/homeserver.js';
import { ADMIN, GROUPS, PEOPLE, Slapd, SLAPD } from './support/slapd.js';

const V3 = '/_matrix/client/v3';

/** Accounts of a directory of another make. */
describe.skipIf(SLAPD === undefined)('the people of an LDAP directory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-ldap-'));
  let directory: Slapd;
  let server: Homeserver;
  const logIn = (user: string, password: string): Promise<Answer> =>
    server.request('POST', `${V3}/login`, {
      body: { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password },
    });
  const loggedIn = async (user: string, password: string): Promise<Client> => {
    const { status, body, text } = await logIn(user, password);
    expect([status, text]).toEqual([200, text]);
    return new Client(server, body.user_id, body.access_token, body.device_id);
  };
  const settingsOf = (settings: object): string => {
    const path = join(folder, 'ldap.yaml');
    writeFileSync(path, JSON.stringify({ base: PEOPLE, ...settings }));
    return path;
  };
  const bind = { bind_dn: ADMIN.dn, bind_password: ADMIN.password };
  const searching = (): object => ({
    url: directory.url,
    start_tls: true,
    ca: directory.ca,
    ...bind,
    filter: '(&(objectClass=inetOrgPerson)(uid={user}))',
    active: '(!(employeeType=gone))',
    attributes: { groups: 'memberOf' },
    admin_groups: ['admins'],
    room_groups: { [`cn=staff,${GROUPS}`]: ['#staff:e2e.example'] },
  });
  const restartWith = async (settings: object): Promise<void> => {
    await server.end();
    server.set({ ANNALS_LDAP: settingsOf(settings) });
    await server.start();
  };

  beforeAll(async () => {
    directory = await Slapd.start();
    await directory.addPerson('alice', 'the password of alice');
    await directory.addPerson('bob', 'the password of bob');
    await directory.addPerson('jörg', 'the password of jörg');
    server = await Homeserver.start({ env: { ANNALS_LDAP: settingsOf(searching()) } });
  });
  afterAll(async () => {
    await server.remove();
    await directory.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('log in by their password there, in both dialects, and have an account by that', async () => {
    const alice = await loggedIn('alice', 'the password of alice');
    expect(alice.userId).toBe('@alice:e2e.example');
    expect(await alice.ok('GET', '/profile/@alice:e2e.example')).toMatchObject({ displayname: 'The alice' });
    expect(await loggedIn('@Alice:e2e.example', 'the password of alice')).toMatchObject({ userId: alice.userId });
    const v1 = await server.request('POST', '/_matrix/client/api/v1/login', {
      body: { type: 'm.login.password', user: 'bob', password: 'the password of bob' },
    });
    expect([v1.status, v1.body.user_id]).toEqual([200, '@bob:e2e.example']);
    expect(await loggedIn('jörg', 'the password of jörg')).toMatchObject({ userId: '@j=c3=b6rg:e2e.example' });
    expect(await loggedIn('j=c3=b6rg', 'the password of jörg')).toMatchObject({ userId: '@j=c3=b6rg:e2e.example' });
  });

  it.each([
    ['a wrong password', 'alice', 'no'],
    ['none', 'alice', ''],
    ['nobody', 'nobody', 'x'],
    ['a pattern', '*', 'the password of alice'],
    ['another filter', 'alice)(uid=*', 'the password of alice'],
    ['a filter that everybody matches', '*)(|(objectClass=*', 'the password of alice'],
    ['an end of text', 'alice\\00', 'the password of alice'],
    ['no name', '', 'the password of alice'],
  ])('are refused alike for %s', async (_, user, password) => {
    const { status, body } = await logIn(user, password);
    expect([status, body]).toEqual([403, { errcode: 'M_FORBIDDEN', error: 'Unknown user or wrong password' }]);
  });

  it('may have any letters in their names', async () => {
    await directory.addPerson('a*b)(c\\d', 'the password of strange');
    expect(await loggedIn('a*b)(c\\d', 'the password of strange')).toMatchObject({
      userId: '@a=2ab=29=28c=5cd:e2e.example',
    });
  });

  it('confirm by it what they do to their account', async () => {
    const bob = await loggedIn('bob', 'the password of bob');
    const confirm = (user: string, password: string): Promise<Answer> =>
      bob.request('DELETE', `/devices/${bob.deviceId}`, {
        auth: { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password },
      });
    expect((await confirm('bob', 'no')).status).toBe(401);
    expect((await confirm('alice', 'the password of alice')).status).toBe(403);
    expect((await confirm('bob', 'the password of bob')).status).toBe(200);
  });

  it('are kept out once the directory says so, and known again by what it calls them for ever', async () => {
    const dn = await directory.addPerson('carol', 'first');
    const { userId } = await loggedIn('carol', 'first');
    const set = (type: string, values: string[]): Promise<void> =>
      directory.client.modify(dn, new Change({ operation: 'replace', modification: new Attribute({ type, values }) }));
    await set('employeeType', ['gone']);
    expect((await logIn('carol', 'first')).status).toBe(403);
    await set('employeeType', ['back']);
    await set('userPassword', ['second']);
    expect((await logIn('carol', 'first')).status).toBe(403);
    await set('uid', ['caroline']);
    expect(await loggedIn('caroline', 'second')).toMatchObject({ userId });
    expect((await logIn('carol', 'second')).status).toBe(403);
    await directory.client.del(dn);
    expect((await logIn('caroline', 'second')).status).toBe(403);
    // Somebody else of that name is somebody else, whose name is taken.
    await directory.addPerson('carol', 'third');
    const { status, body } = await logIn('carol', 'third');
    expect([status, body.errcode]).toEqual([403, 'M_FORBIDDEN']);
  });

  it('are administrators and in rooms by their groups', async () => {
    const owner = await registerAt(server, 'owner');
    const staff = await owner.createRoom({ preset: 'public_chat', room_alias_name: 'staff' });
    const member = `cn=bob,${PEOPLE}`;
    for (const name of ['staff', 'admins']) {
      await directory.client.add(`cn=${name},${GROUPS}`, { objectClass: 'groupOfNames', cn: name, member });
    }
    const isAdmin = async (client: Client): Promise<boolean> =>
      (await client.request('GET', '/_synapse/admin/v1/user/redact_status/none')).status !== 403;
    const bob = await loggedIn('bob', 'the password of bob');
    expect(await isAdmin(bob)).toBe(true);
    expect((await bob.ok('GET', '/joined_rooms')).joined_rooms).toEqual([staff]);
    await directory.client.del(`cn=admins,${GROUPS}`);
    await loggedIn('bob', 'the password of bob');
    expect(await isAdmin(bob)).toBe(false);
  });

  it('have the groups of their own name, and none of what they wrote into their entry', async () => {
    await directory.addPerson('dora', 'the password of dora', { mail: 'dora@mail.example' });
    await directory.addPerson('eve', 'the password of eve', { mail: 'root' });
    const description = ['dora', 'root'];
    const group = { objectClass: 'groupOfNames', cn: 'operators', member: PEOPLE, description };
    await directory.client.add(`cn=operators,${GROUPS}`, group);
    await restartWith({
      ...searching(),
      filter: '(&(objectClass=inetOrgPerson)(|(uid={user})(mail={user})))',
      attributes: {},
      groups: { base: GROUPS, filter: '(description={user})' },
      admin_groups: ['operators'],
    });
    const isAdmin = async (name: string, password: string): Promise<[string, boolean]> => {
      const client = await loggedIn(name, password);
      const path = '/_synapse/admin/v1/user/redact_status/none';
      return [client.userId, (await client.request('GET', path)).status !== 403];
    };
    for (const name of ['dora', 'DORA', 'dora@mail.example'])
      expect(await isAdmin(name, 'the password of dora')).toEqual(['@dora:e2e.example', true]);
    for (const name of ['eve', 'root'])
      expect(await isAdmin(name, 'the password of eve')).toEqual(['@eve:e2e.example', false]);
    await restartWith(searching());
  });

  it('whose name is taken here are refused, unless the operator says that both are one', async () => {
    const { userId } = await registerAt(server, 'taken', 'here');
    await directory.addPerson('taken', 'there');
    expect((await logIn('taken', 'there')).status).toBe(403);
    expect(await loggedIn('taken', 'here')).toMatchObject({ userId });
    await restartWith({ ...searching(), existing_accounts: 'link' });
    expect(await loggedIn('taken', 'there')).toMatchObject({ userId });
    expect(await loggedIn('taken', 'here')).toMatchObject({ userId });
  });

  it('are found by name too, over TLS from the start, with groups that name them', async () => {
    await directory.client.add(`cn=readers,${GROUPS}`, {
      objectClass: 'groupOfNames',
      cn: 'readers',
      member: `cn=alice,${PEOPLE}`,
    });
    const byName = {
      url: directory.tlsUrl,
      ca: directory.ca,
      user_dn: `cn={user},${PEOPLE}`,
      groups: { base: GROUPS },
      admin_groups: ['readers'],
    };
    await restartWith(byName);
    const alice = await loggedIn('alice', 'the password of alice');
    expect((await alice.request('GET', '/_synapse/admin/v1/user/redact_status/none')).status).not.toBe(403);
    for (const user of ['alice,ou=people', `alice,${PEOPLE}`, '+cn=alice', '#', 'alice\\'])
      expect((await logIn(user, 'the password of alice')).status).toBe(403);
  });

  it('are sent to no directory that cannot prove who it is', async () => {
    const { ca: _, ...unknown } = searching() as { ca: string };
    for (const settings of [unknown, { ...unknown, url: directory.tlsUrl, start_tls: false }]) {
      await restartWith(settings);
      const { status, body } = await logIn('alice', 'the password of alice');
      expect([status, body.errcode]).toEqual([502, 'M_UNKNOWN']);
    }
  });

  it('wait for a directory that is away; passwords of this server do not', async () => {
    await restartWith(searching());
    await directory.end();
    expect((await logIn('alice', 'the password of alice')).status).toBe(502);
    expect(await loggedIn('owner', 'the password of owner')).toMatchObject({ userId: '@owner:e2e.example' });
    await directory.run();
    expect((await logIn('alice', 'the password of alice')).status).toBe(200);
  });

  it('leave their password nowhere', async () => {
    const { execFileSync } = await import('node:child_process');
    await server.end();
    const grep = (text: string): string => {
      try {
        return execFileSync('grep', ['-rlaF', text, server.directory]).toString();
      } catch {
        return '';
      }
    };
    expect(grep('the password of alice')).toBe('');
    expect(grep('@alice:e2e.example')).not.toBe('');
    await server.start();
  });
});
