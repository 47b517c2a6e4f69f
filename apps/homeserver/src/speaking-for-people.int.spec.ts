import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRegistration } from '#testing/registration-file';
import { listRoutes, type Route } from '../test/list-routes.js';
import { WholeServer } from '../test/whole-server.js';

const TOKEN = 'token-of-the-service';
const BY_SERVICE = 'm.login.application_service';

/** What is a person's own business, with all that is below it: libs/appservices/README.md, "As a person". */
const CLOSED = [
  '/account/3pid',
  '/account/deactivate',
  '/account/password',
  '/admin/lock',
  '/admin/suspend',
  '/admin/whois',
  '/dev.annals.admin',
  '/dev.annals.contacts',
  '/contacts',
  '/delete_devices',
  '/devices',
  '/keys/device_signing',
  '/keys/signatures',
  '/keys/upload',
  '/login/get_token',
  '/logout/all',
  '/logout/all/:txnId',
  '/org.matrix.msc3814.v1/dehydrated_device',
  '/pushers',
  '/room_keys',
  '/user/:userId/openid',
];

const ROUTES = listRoutes().filter(({ path }) => path.startsWith('/_matrix/client/'));
const CLOSED_ROUTES = ROUTES.filter(({ path }) => {
  const rest = path.replace(/^\/_matrix\/client\/(api\/v1|v2_alpha|r0|v3|v1|unstable)/, '');
  // Whoever has a mail sent is nobody: what comes of it is known to who reads that.
  return !rest.endsWith('/requestToken') && CLOSED.some((closed) => rest === closed || rest.startsWith(`${closed}/`));
});

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

describe('a service that may act as everybody', () => {
  let server: WholeServer;
  let person: string;
  /** Of a session that it opened for them. */
  let session: string;
  beforeAll(async () => {
    const namespaces = { users: [{ exclusive: false, regex: '@.*' }] };
    server = await WholeServer.start({ ANNALS_APPSERVICES: writeRegistration({ namespaces }) });
    person = (await server.register('person')).userId;
    const login = { type: BY_SERVICE, identifier: { type: 'm.id.user', user: 'person' } };
    session = (await ask('POST', '/_matrix/client/v3/login', JSON.stringify(login)))['access_token'] as string;
  });
  afterAll(() => server.close());

  const ask = async (method: string, path: string, body: string, token = TOKEN): Promise<Record<string, unknown>> => {
    const parts = { token, ...(method === 'GET' ? {} : { body }) };
    const { text } = await server.request(method, path, parts);
    return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  };
  const isRefusedAs = async (userId: string, { method, path }: Route, token?: string): Promise<boolean> => {
    const values: Readonly<Record<string, string>> = { userId, roomId: '!r:a.example', idOrAlias: '!r:a.example' };
    const filled = path.replace(/:([A-Za-z]+)/g, (_, name: string) => values[name] ?? 'x').replace('*', 'x');
    const { errcode, error } = await ask(method, `${filled}?timeout=0&user_id=${userId}`, '{}', token);
    return errcode === 'M_FORBIDDEN' && error === 'An application service may not do this for a person';
  };

  it('speaks for a person on every path, but for those that keep their account and their keys', async () => {
    const refused: string[] = [];
    for (const route of ROUTES) if (await isRefusedAs(person, route)) refused.push(nameOf(route));
    expect(refused.length).toBeGreaterThan(60);
    expect(refused).toEqual(CLOSED_ROUTES.map(nameOf));
  });

  it('does no more for them by a session that it opened', async () => {
    const allowed: string[] = [];
    for (const route of CLOSED_ROUTES) if (!(await isRefusedAs(person, route, session))) allowed.push(nameOf(route));
    expect(allowed).toEqual([]);
  });

  it('does with its own users all of it', async () => {
    const refused: string[] = [];
    for (const [i, route] of CLOSED_ROUTES.entries()) {
      // One for each: some of it is the end of them.
      const ghost = JSON.stringify({ type: BY_SERVICE, username: `ghost${i}`, inhibit_login: true });
      const { user_id: userId } = await ask('POST', '/_matrix/client/v3/register', ghost);
      if (await isRefusedAs(String(userId), route)) refused.push(nameOf(route));
    }
    expect(refused).toEqual([]);
  });
});
