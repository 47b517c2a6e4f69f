import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listRoutes, type Route } from '../test/list-routes.js';
import { WholeServer } from '../test/whole-server.js';

/** Client-server API, module "Guest Access", "Client behaviour". The same acts have other paths in API v1. */
const BY_SPECIFICATION = [
  'GET /rooms/:roomId/state',
  'GET /rooms/:roomId/context/:eventId',
  'GET /rooms/:roomId/event/:eventId',
  'GET /rooms/:roomId/state/:type',
  'GET /rooms/:roomId/state/:type/:stateKey',
  'GET /rooms/:roomId/messages',
  'GET /rooms/:roomId/members',
  'GET /rooms/:roomId/initialSync',
  'GET /sync',
  'GET /events',
  'POST /rooms/:roomId/join',
  'POST /rooms/:idOrAlias/join',
  'PUT /rooms/:roomId/join/:txnId',
  'POST /rooms/:roomId/leave',
  'PUT /rooms/:roomId/leave/:txnId',
  'POST /rooms/:roomId/send/:type',
  'PUT /rooms/:roomId/send/:type/:txnId',
  'PUT /rooms/:roomId/delayed_event/:type/:txnId',
  'PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/:roomId/delayed_event/:type/:txnId',
  'GET /delayed_events',
  'GET /delayed_events/:delayId',
  'GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events',
  'GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/:delayId',
  'PUT /rooms/:roomId/state/:type',
  'PUT /rooms/:roomId/state/:type/:stateKey',
  'PUT /rooms/:roomId/state/m.room.member/:userId',
  'PUT /profile/:userId/displayname',
  'DELETE /profile/:userId/displayname',
  'GET /devices',
  'GET /devices/:deviceId',
  'PUT /devices/:deviceId',
  'GET /account/whoami',
  'POST /keys/upload',
  'POST /keys/query',
  'POST /keys/claim',
  'PUT /sendToDevice/:type/:txnId',
];

/** What a client cannot do without, or what is another form of the same. */
const BESIDES = [
  'POST /join/:idOrAlias',
  'PUT /join/:idOrAlias/:txnId',
  'GET /events/:eventId',
  'GET /initialSync',
  'GET /capabilities',
  // MSC4195; where to ask, MSC4143.
  'POST /rtc/livekit/get_token',
  'POST /_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token',
  'GET /rtc/transports',
  'GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
  'POST /user/:userId/filter',
  'GET /user/:userId/filter/:filterId',
  'POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync',
  'POST /_matrix/client/v4/sync',
  'GET /media/download/:serverName/:mediaId',
  'GET /media/download/:serverName/:mediaId/:fileName',
  'GET /media/thumbnail/:serverName/:mediaId',
  'POST /logout',
  'POST /logout/all',
  'PUT /logout/:txnId',
  'PUT /logout/all/:txnId',
];

const ALLOWED: ReadonlySet<string> = new Set([...BY_SPECIFICATION, ...BESIDES]);
const FIELDS = ['displayname', 'avatar_url', 'm.tz'];
const VALUES: Readonly<Record<string, string>> = {
  roomId: '!r:a.example',
  idOrAlias: '!r:a.example',
  eventId: '$e',
  kind: 'override',
};

/** The routes of the client API under each of their prefixes; that of a profile's field once for each field. */
const ROUTES = listRoutes().flatMap((route) => {
  if (!route.path.startsWith('/_matrix/client/')) return [];
  if (!route.path.endsWith('/profile/:userId/:key')) return [route];
  return FIELDS.map((field) => ({ ...route, path: route.path.replace(':key', field) }));
});

describe('guests', () => {
  let server: WholeServer;
  beforeAll(async () => void (server = await WholeServer.start()));
  afterAll(() => server.close());

  const errcodeOf = async ({ method, path }: Route, guest?: { userId: string; token: string }): Promise<unknown> => {
    const values = { ...VALUES, userId: guest?.userId ?? '@u:a.example' };
    const filled = path.replace(/:([A-Za-z]+)/g, (_, name: string) => values[name as keyof typeof values] ?? 'x');
    const body = '{"user_id":"@u:a.example"}';
    const url = `${filled.replace('*', 'x')}?timeout=0`;
    const { text } = await server.request(method, url, { ...guest, ...(method === 'GET' ? {} : { body }) });
    return text.startsWith('{') ? (JSON.parse(text) as { errcode?: unknown }).errcode : undefined;
  };

  it('may do what the specification says and nothing else, on every path of both dialects', async () => {
    const refused: string[] = [];
    const expected: string[] = [];
    let guest = await server.register('', 'guest');
    for (const route of ROUTES) {
      if ((await errcodeOf(route)) !== 'M_MISSING_TOKEN') continue;
      const name = `${route.method} ${route.path}`;
      if ((await errcodeOf(route, guest)) === 'M_GUEST_ACCESS_FORBIDDEN') refused.push(name);
      const behindPrefix = route.path.replace(/^\/_matrix\/client\/(api\/v1|v2_alpha|r0|v3|v1)/, '');
      if (!ALLOWED.has(`${route.method} ${behindPrefix}`)) expected.push(name);
      if (route.path.includes('/logout')) guest = await server.register('', 'guest');
    }
    expect(expected.length).toBeGreaterThan(100);
    expect(refused).toEqual(expected);
  });
});
