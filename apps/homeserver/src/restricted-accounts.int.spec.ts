import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listRoutes, type Route } from '../test/list-routes.js';
import { WholeServer } from '../test/whole-server.js';

/** Client-server API, "Account locking". In API v1 each POST has a PUT beside it. */
const WHILE_LOCKED: ReadonlySet<string> = new Set([
  'POST /logout',
  'POST /logout/all',
  'PUT /logout/:txnId',
  'PUT /logout/all/:txnId',
]);

/** Client-server API, "Account suspension": what servers should permit at least, of what changes something. */
const BY_SPECIFICATION = [
  // "Verify other devices and write associated cross-signing data." Their messages, and the keys of the device.
  'POST /keys/device_signing/upload',
  'POST /keys/signatures/upload',
  'POST /keys/upload',
  'POST /keys/query',
  'POST /keys/claim',
  'PUT /sendToDevice/:type/:txnId',
  'PUT /org.matrix.msc3814.v1/dehydrated_device',
  'DELETE /org.matrix.msc3814.v1/dehydrated_device',
  'POST /org.matrix.msc3814.v1/dehydrated_device/:deviceId/events',
  // "Populate their key backup."
  'POST /room_keys/version',
  'PUT /room_keys/version/:version',
  'DELETE /room_keys/version/:version',
  'PUT /room_keys/keys',
  'DELETE /room_keys/keys',
  'PUT /room_keys/keys/:roomId',
  'DELETE /room_keys/keys/:roomId',
  'PUT /room_keys/keys/:roomId/:sessionId',
  'DELETE /room_keys/keys/:roomId/:sessionId',
  // "Leave rooms and reject invites." By a state event too, and in API v1.
  'POST /rooms/:roomId/leave',
  'PUT /rooms/:roomId/leave/:txnId',
  'POST /rooms/:roomId/forget',
  'PUT /rooms/:roomId/forget/:txnId',
  'PUT /rooms/:roomId/state/m.room.member/:userId',
  // "Where a room is used to maintain communication between server administration teams and the suspended user": that they are in it.
  'POST /join/:idOrAlias',
  'PUT /join/:idOrAlias/:txnId',
  'POST /rooms/:idOrAlias/join',
  // "Redact their own events."
  'PUT /rooms/:roomId/redact/:eventId/:txnId',
  'POST /rooms/:roomId/redact/:eventId',
  'POST /rooms/:roomId/send/:type',
  'PUT /rooms/:roomId/send/:type/:txnId',
  // "Log out or delete any device of theirs", and sign in another one.
  'POST /logout',
  'POST /logout/all',
  'PUT /logout/:txnId',
  'PUT /logout/all/:txnId',
  'DELETE /devices/:deviceId',
  'PUT /devices/:deviceId',
  'POST /delete_devices',
  'POST /io.element.msc4388/rendezvous',
  'POST /login/get_token',
  // "Deactivate their account", and keep it: its password.
  'POST /account/deactivate',
  'POST /account/password',
  // "Change or add admin contacts, but not remove."
  'POST /account/3pid',
  'POST /account/3pid/add',
  // "See and receive messages."
  'POST /sync',
  'POST /org.matrix.simplified_msc3575/sync',
  'POST /search',
  'PUT /search/:txnId',
  'POST /user_directory/search',
  'POST /publicRooms',
];

/** What is theirs alone, or for the eyes of the operators; and what was to be sent later may be called off. */
const BESIDES = [
  'POST /user/:userId/filter',
  'PUT /user/:userId/account_data/:type',
  'PUT /user/:userId/rooms/:roomId/account_data/:type',
  ...['/contacts', '/dev.annals.contacts'].flatMap((book) => [
    `POST ${book}`,
    `DELETE ${book}`,
    `PUT ${book}/:txnId`,
    `PUT ${book}/cards/:contactId`,
    `DELETE ${book}/cards/:contactId`,
    `PUT ${book}/shared/:medium/:address`,
    `DELETE ${book}/shared/:medium/:address`,
  ]),
  ...['/user_data', '/dev.annals.user_data'].flatMap((data) => [
    `PUT ${data}/:userId/:key`,
    `DELETE ${data}/:userId/:key`,
  ]),
  'PUT /user/:userId/rooms/:roomId/tags/:tag',
  'DELETE /user/:userId/rooms/:roomId/tags/:tag',
  'POST /rooms/:roomId/receipt/:receiptType/:eventId',
  'POST /rooms/:roomId/read_markers',
  'PUT /io.element.msc4306/rooms/:roomId/thread/:eventId/subscription',
  'DELETE /io.element.msc4306/rooms/:roomId/thread/:eventId/subscription',
  'POST /pushers/set',
  'PUT /pushers/set/:txnId',
  'PUT /pushrules',
  'PUT /pushrules/*',
  'DELETE /pushrules/*',
  ...['global', 'device/:tag'].flatMap((scope) => [
    `PUT /pushrules/${scope}/:kind/:ruleId`,
    `DELETE /pushrules/${scope}/:kind/:ruleId`,
    `PUT /pushrules/${scope}/:kind/:ruleId/enabled`,
    `PUT /pushrules/${scope}/:kind/:ruleId/actions`,
  ]),
  'POST /rooms/:roomId/report',
  'POST /rooms/:roomId/report/:eventId',
  'POST /users/:userId/report',
];

/** Of these the test asks for something that is not for them: to join a room of others, or say something there; of state they may only say that they are in the room no more. */
const REFUSED_AS_ASKED: ReadonlySet<string> = new Set([
  'POST /join/:idOrAlias',
  'PUT /join/:idOrAlias/:txnId',
  'POST /rooms/:idOrAlias/join',
  'PUT /rooms/:roomId/state/m.room.member/:userId',
  'POST /rooms/:roomId/send/:type',
  'PUT /rooms/:roomId/send/:type/:txnId',
]);

const WHILE_SUSPENDED: ReadonlySet<string> = new Set([...BY_SPECIFICATION, ...BESIDES]);

const VALUES: Readonly<Record<string, string>> = {
  roomId: '!r:a.example',
  idOrAlias: '!r:a.example',
  eventId: '$e',
  kind: 'override',
  type: 'm.room.message',
};

const ROUTES = listRoutes().filter(({ path }) => /^\/_(matrix\/(client|media)|synapse)\//.test(path));
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;
const nameBehindPrefix = ({ method, path }: Route): string =>
  `${method} ${path.replace(/^\/_matrix\/client\/(api\/v1|v2_alpha|r0|v3|v4|v1|unstable)/, '')}`;

describe('restricted accounts', () => {
  let server: WholeServer;
  let admin: string;
  beforeAll(async () => {
    server = await WholeServer.start();
    admin = await server.registerAdmin();
  });
  afterAll(() => server.close());

  const restrict = async (userId: string, what: 'lock' | 'suspend', isOn: boolean): Promise<void> => {
    const body = JSON.stringify({ [what === 'lock' ? 'locked' : 'suspended']: isOn });
    const { status } = await server.request('PUT', `/_matrix/client/v1/admin/${what}/${userId}`, {
      token: admin,
      body,
    });
    expect(status).toBe(200);
  };

  const answerOf = async ({ method, path }: Route, user: { userId: string; token?: string }) => {
    const values = { ...VALUES, userId: user.userId };
    const filled = path.replace(/:([A-Za-z]+)/g, (_, name: string) => values[name as keyof typeof values] ?? 'x');
    const body = '{"user_id":"@u:a.example","membership":"join","msgtype":"m.text","body":"b"}';
    const url = `${filled.replace('*', 'x')}?timeout=0`;
    const { status, text } = await server.request(method, url, { ...user, ...(method === 'GET' ? {} : { body }) });
    const { errcode, soft_logout } = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status, errcode, soft_logout };
  };
  const needsToken = async (route: Route): Promise<boolean> =>
    (await answerOf(route, { userId: '@u:a.example' })).errcode === 'M_MISSING_TOKEN';

  it('can do nothing while they are locked but log out, on every path of both dialects, and keep their sessions', async () => {
    const user = await server.register('locked');
    await restrict(user.userId, 'lock', true);
    let asked = 0;
    const allowed: string[] = [];
    for (const route of ROUTES) {
      if (WHILE_LOCKED.has(nameBehindPrefix(route)) || !(await needsToken(route))) continue;
      asked++;
      const { status, errcode, soft_logout } = await answerOf(route, user);
      if (status !== 401 || errcode !== 'M_USER_LOCKED' || soft_logout !== true) allowed.push(nameOf(route));
    }
    expect(asked).toBeGreaterThan(200);
    expect(allowed).toEqual([]);
    await restrict(user.userId, 'lock', false);
    expect((await server.request('GET', '/_matrix/client/v3/account/whoami', user)).status).toBe(200);
  });

  it('can log out while they are locked', async () => {
    for (const [n, route] of ROUTES.filter((one) => WHILE_LOCKED.has(nameBehindPrefix(one))).entries()) {
      const user = await server.register(`out${n}`);
      await restrict(user.userId, 'lock', true);
      expect([nameOf(route), (await answerOf(route, user)).status]).toEqual([nameOf(route), 200]);
      await restrict(user.userId, 'lock', false);
      const { status } = await server.request('GET', '/_matrix/client/v3/account/whoami', user);
      expect(status).toBe(401);
    }
  });

  it('read all while they are suspended, and change only what the specification lists and what is theirs', async () => {
    let user = await server.register('suspended');
    await restrict(user.userId, 'suspend', true);
    let asked = 0;
    const otherwise: string[] = [];
    for (const route of ROUTES) {
      const name = nameBehindPrefix(route);
      if (name.endsWith('/deactivate') || !(await needsToken(route))) continue;
      asked++;
      const isAllowed = READS.has(route.method) || (WHILE_SUSPENDED.has(name) && !REFUSED_AS_ASKED.has(name));
      const isRefused = (await answerOf(route, user)).errcode === 'M_USER_SUSPENDED';
      if (isRefused === isAllowed) otherwise.push(`${nameOf(route)} is ${isRefused ? 'refused' : 'allowed'}`);
      if (!name.includes('/logout')) continue;
      user = await server.register(`suspended${asked}`);
      await restrict(user.userId, 'suspend', true);
    }
    expect(asked).toBeGreaterThan(200);
    expect(otherwise).toEqual([]);
  });
});
