import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isForAdmins, listRoutes, type Route } from '../test/list-routes.js';
import { type Answer, WholeServer } from '../test/whole-server.js';

/** `r0` and `v2_alpha` lead to the methods that `v3` leads to. What ends the session of the test would end the test. */
const ROUTES = listRoutes()
  .filter(({ path }) => !/\/(r0|v2_alpha|logout|deactivate)(\/|$)/.test(path))
  .toSorted((a, b) => (a.method < b.method ? -1 : 1));

/** As much of everything as lets a request get far in its door. */
const BODY = JSON.stringify({
  actions: [],
  pattern: 'p',
  enabled: true,
  typing: false,
  membership: 'invite',
  user_id: '@bob:a.example',
  new_password: 'a password',
});

const UNREADABLE = ['%', '%zz', '%ff', '%ED%A0%80', '%C3%28', 'é'];
const ODD = [
  '',
  '%00',
  '%2F',
  '%F0%9F%98%80',
  'NaN',
  '-1',
  '1e3',
  '99999999999999999999',
  '%7B%7D',
  '%7B%22a%22:1',
  'null',
  '__proto__',
  '!',
  '@:',
  '$a%00',
  'x'.repeat(256),
  'x'.repeat(2040),
  'x'.repeat(5000),
];
const NO_NUMBERS = ['NaN', '-1', '1.5', '1e3', '0x10', '%201', '99999999999999999999'];
/** What may be given more than once. */
const LISTS: ReadonlySet<string> = new Set(['via', 'server_name', 'delay_id']);
const NUMBERS: ReadonlySet<string> = new Set([
  'limit',
  'timeout',
  'ts',
  'max_depth',
  'minimum_valid_until_ts',
  'timeout_ms',
  'width',
  'height',
]);

/** What the query says is for others to read. */
const takesAnyField = ({ path }: Route): boolean => /\/thirdparty\/\w+\/:protocol$/.test(path);

const ASKED = [
  { by: 'somebody', isAdmin: false, routes: ROUTES.filter((route) => !isForAdmins(route)), fewest: 60 },
  { by: 'an administrator', isAdmin: true, routes: ROUTES.filter(isForAdmins), fewest: 10 },
];

// Some ten thousand requests: minutes on a machine that does much else.
describe.each(ASKED)('every route that is for $by', { timeout: 600_000 }, ({ isAdmin, routes, fewest }) => {
  let server: WholeServer;
  let token: string;
  let known: Readonly<Record<string, string>>;

  beforeAll(async () => {
    // Names of servers are made up: none of them is to be looked for.
    server = await WholeServer.start({
      ANNALS_FEDERATION: 'off',
      ANNALS_OAUTH: 'on',
      ANNALS_ROLES: 'all,identity',
    });
    const user = await server.register('alice');
    token = isAdmin ? await server.registerAdmin() : user.token;
    const post = async (path: string, body: object): Promise<Record<string, string>> =>
      JSON.parse((await server.request('POST', path, { token: user.token, body: JSON.stringify(body) })).text);
    const v3 = '/_matrix/client/v3';
    const { room_id: roomId } = await post(`${v3}/createRoom`, { preset: 'public_chat', room_alias_name: 'a' });
    const { event_id: eventId } = await post(`${v3}/rooms/${encodeURIComponent(roomId!)}/send/m.room.message`, {});
    const { content_uri: uri } = await post('/_matrix/media/v3/upload', {});
    const [serverName, mediaId] = uri!.slice('mxc://'.length).split('/');
    known = {
      serverName: serverName!,
      mediaId: mediaId!,
      roomId: roomId!,
      idOrAlias: roomId!,
      alias: '#a:a.example',
      eventId: eventId!,
      userId: user.userId,
      type: 'm.room.name',
      receiptType: 'm.read',
      kind: 'override',
      key: 'displayname',
    };
  });
  afterAll(() => server.close());

  const pathOf = ({ path }: Route, odd: Readonly<Record<string, string>> = {}): string =>
    path
      .replace(/:([A-Za-z]+)/g, (_, name: string) => odd[name] ?? encodeURIComponent(known[name] ?? 'x'))
      .replace('*', 'x');
  /** Nothing is waited for, and what must be there is there. */
  const withQuery = (path: string, query = ''): string => {
    const missing = ['timeout=0', 'dir=b', 'ts=1', 'width=1', 'height=1'].filter(
      (one) => !query.startsWith(`${one.split('=')[0]}=`),
    );
    return `${path}?${[query, ...missing].filter(Boolean).join('&')}`;
  };
  const ask = (route: Route, path: string): Promise<Answer> =>
    server.request(route.method, path, { token, ...(route.method === 'GET' ? {} : { body: BODY }) });

  /** Asks all at once; notes which answers are not as `isRight` has it, or in no standard form. */
  const check = async (
    asked: readonly { readonly route: Route; readonly path: string }[],
    isRight: (answer: Answer) => boolean = () => true,
  ): Promise<void> => {
    const failures: string[] = [];
    await Promise.all(
      asked.map(async ({ route, path }) => {
        const answer = await ask(route, path);
        if (isStandard(answer) && isRight(answer)) return;
        failures.push(`${route.method} ${path.slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 200)}`);
      }),
    );
    expect(failures).toEqual([]);
  };

  /** Of reading first: what writes may end the stay of the reader. */
  it('reads no parameter twice', async () => {
    await check(routes.map((route) => ({ route, path: withQuery(pathOf(route)) })));
    const asked = routes.flatMap((route) =>
      keysOf(route)
        .filter((key) => !LISTS.has(key))
        .map((key) => ({ route, path: withQuery(pathOf(route), `${key}=1&${key}=1`) })),
    );
    expect(asked.length).toBeGreaterThan(fewest);
    await check(asked, ({ status, text }) => status === 400 && text.includes('given more than once'));
  });

  it('takes what is no number for none', async () => {
    const asked = routes.flatMap((route) =>
      keysOf(route).flatMap((key) =>
        NUMBERS.has(key) && !takesAnyField(route)
          ? NO_NUMBERS.map((value) => ({ route, path: withQuery(pathOf(route), `${key}=${value}`) }))
          : [],
      ),
    );
    expect(asked.length).toBeGreaterThan(fewest);
    await check(asked, ({ status }) => status === 400);
  });

  it('answers any value of any parameter of its query in a standard form', async () => {
    await check(
      routes.flatMap((route) =>
        keysOf(route).flatMap((key) =>
          ODD.map((value) => ({ route, path: withQuery(pathOf(route), `${key}=${value}`) })),
        ),
      ),
    );
  });

  it('answers any value of any parameter of its path in a standard form', async () => {
    await check(
      routes.flatMap((route) =>
        parametersOf(route).flatMap((name) =>
          ODD.map((value) => ({ route, path: withQuery(pathOf(route, { [name]: value })) })),
        ),
      ),
    );
  });

  it('takes what is not UTF-8, or no escape, for nothing', async () => {
    const isRefused = ({ status }: Answer): boolean => status === 400;
    for (const value of UNREADABLE) {
      await check(
        routes.flatMap((route) => [
          ...parametersOf(route).map((name) => ({ route, path: pathOf(route, { [name]: value }) })),
          { route, path: `${pathOf(route)}?any=${value}` },
        ]),
        isRefused,
      );
    }
  });

  it('answers HEAD where it answers GET, OPTIONS everywhere, and other methods with 405', async () => {
    for (const route of routes) {
      const path = withQuery(pathOf(route));
      const head = await server.request('HEAD', path, { token });
      const takesGet = routes.some(({ method, path: other }) => method === 'GET' && other === route.path);
      expect([path, head.text]).toEqual([path, '']);
      if (takesGet) expect([path, head.status]).not.toEqual([path, 405]);
      const preflight = await server.request('OPTIONS', path);
      expect([path, preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([path, 204, '*']);
      const patch = await server.request('PATCH', path, { token });
      expect([path, patch.status, patch.headers['access-control-allow-origin']]).toEqual([path, 405, '*']);
      expect(JSON.parse(patch.text)).toMatchObject({ errcode: 'M_UNRECOGNIZED' });
      const twoSlashes = await server.request(route.method, path.replace(/\/(?=[^/]*$)/, '//'), { token });
      expect([path, isStandard(twoSlashes)]).toEqual([path, true]);
    }
  });

  function keysOf({ method, path }: Route): string[] {
    return [...(server.queryKeys.get(`${method} ${path}`) ?? [])];
  }
});

function parametersOf({ path }: Route): string[] {
  return [...path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name!);
}

/**
 * No bug, and readable by every web page; a refusal says why, or what is missing of an interactive authentication, in the form of OAuth 2.0
 * where that is asked for. 502: the server that was named cannot be asked. Pages, where people are told, are no other pages' to read.
 */
function isStandard({ status, headers, text }: Answer): boolean {
  if (status >= 500 && status !== 502) return false;
  if (headers['x-frame-options'] === 'DENY' || status === 302 || status === 303) return status < 500;
  if (String(headers['content-type']).startsWith('text/html')) return status < 400 || text.includes('role="alert"');
  if (headers['access-control-allow-origin'] !== '*') return false;
  if (status < 400) return true;
  const body = JSON.parse(text) as Record<string, unknown>;
  if (status === 401 && Array.isArray(body['flows'])) return true;
  if (typeof body['error_description'] === 'string') return typeof body['error'] === 'string';
  return String(body['errcode']).startsWith('M_') && typeof body['error'] === 'string';
}
