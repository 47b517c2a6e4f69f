import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';

const RULES = '/_matrix/client/v3/pushrules';
const V1_RULES = '/_matrix/client/api/v1/pushrules';

describe('push rules', () => {
  let app: AccountsApp;
  let counter = 0;
  let token: string;
  let userId: string;
  beforeAll(async () => void (app = await startAccountsApp()));
  afterAll(() => app.close());
  beforeEach(async () => {
    const body = { auth: { type: 'm.login.dummy' }, username: `user${++counter}`, password: 'secret' };
    const answer = (await app.call('POST', '/_matrix/client/v3/register', { body })).body;
    token = String(answer['access_token']);
    userId = String(answer['user_id']);
  });

  const get = (path: string) => app.call('GET', `${RULES}${path}`, { token });
  const put = (path: string, body: unknown) => app.call('PUT', `${RULES}${path}`, { token, body });
  const add = (id: string, query = '') => put(`/global/override/${id}${query}`, { actions: [], conditions: [] });
  const remove = (path: string) => app.call('DELETE', `${RULES}${path}`, { token });
  const idsOf = async (kind: string): Promise<string[]> =>
    (JSON.parse((await get(`/global/${kind}/`)).text) as { rule_id: string }[]).map((rule) => rule.rule_id);

  it('are the defaults at first, in every place where they can be read', async () => {
    const { global } = (await get('/')).body as { global: Record<string, { rule_id: string }[]> };
    expect(Object.keys(global)).toEqual(['override', 'content', 'postcontent', 'room', 'sender', 'underride']);
    expect(global['override']![0]).toMatchObject({ rule_id: '.m.rule.master', default: true, enabled: false });
    expect((await get('/global/')).body).toEqual(global);
    expect((await get('/global/underride/.m.rule.message')).body).toMatchObject({ actions: ['notify'] });
    const data = await app.call('GET', `/_matrix/client/v3/user/${userId}/account_data/m.push_rules`, { token });
    expect(data.body).toEqual({ global });
  });

  it('that were predefined in 2015 alone are told in API v1, and elsewhere once somebody switches them on', async () => {
    const of = async (base: string, kind: string): Promise<string[]> =>
      (JSON.parse((await app.call('GET', `${base}/global/${kind}/`, { token })).text) as { rule_id: string }[]).map(
        (rule) => rule.rule_id,
      );
    const old = {
      override: '.m.rule.contains_display_name',
      content: '.m.rule.contains_user_name',
      underride: '.m.rule.fallback',
    };
    for (const [kind, id] of Object.entries(old)) {
      expect((await of(V1_RULES, kind)).at(-1)).toBe(id);
      expect(await of(RULES, kind)).not.toContain(id);
    }
    expect((await app.call('GET', `${V1_RULES}/global/content/.m.rule.contains_user_name`, { token })).body).toEqual({
      rule_id: '.m.rule.contains_user_name',
      default: true,
      enabled: false,
      pattern: `user${counter}`,
      actions: ['notify', { set_tweak: 'sound', value: 'default' }],
    });
    expect((await get('/global/content/.m.rule.contains_user_name')).status).toBe(404);
    const body = { enabled: true };
    await app.call('PUT', `${V1_RULES}/global/content/.m.rule.contains_user_name/enabled`, { token, body });
    expect((await get('/global/content/.m.rule.contains_user_name/enabled')).body).toEqual(body);
    expect(await of(RULES, 'override')).not.toContain('.m.rule.contains_display_name');
  });

  it.each([
    ['room', '%23spam:example.com', {}],
    ['sender', '@bob:example.com', {}],
    ['content', 'my_content_rule', { pattern: 'my_pattern' }],
    ['content', '%D1%82%D0%B5%D1%81%D1%82', { pattern: 'тест' }],
    ['override', 'my_rule', { conditions: [{ kind: 'event_match', key: 'content.msgtype', pattern: 'm.notice' }] }],
    ['underride', 'my_rule', { conditions: [{ kind: 'event_match', key: 'content.msgtype', pattern: 'm.notice' }] }],
  ])('can be added: %s', async (kind, ruleId, rule) => {
    expect((await put(`/global/${kind}/${ruleId}`, { actions: ['notify'], ...rule })).body).toEqual({});
    expect((await get(`/global/${kind}/${ruleId}`)).body).toEqual({
      rule_id: decodeURIComponent(ruleId),
      default: false,
      enabled: true,
      actions: ['notify'],
      ...rule,
    });
    expect((await get(`/global/${kind}/${ruleId}/enabled`)).body).toEqual({ enabled: true });
    expect((await get(`/global/${kind}/${ruleId}/actions`)).body).toEqual({ actions: ['notify'] });
    expect(await idsOf(kind)).toContain(decodeURIComponent(ruleId));
  });

  it('stand where they were put, below the master rule and above the other defaults', async () => {
    await add('a');
    await add('b');
    await add('c', '?before=a');
    await add('d', '?after=b');
    await add('e', '?before=b&after=a');
    const ids = await idsOf('override');
    expect(ids.slice(0, 7)).toEqual(['.m.rule.master', 'e', 'b', 'd', 'c', 'a', '.m.rule.suppress_notices']);
    await add('a', '?before=e');
    expect((await idsOf('override'))[1]).toBe('a');
    const unknown = await add('f', '?before=nothing');
    expect([unknown.status, unknown.body['errcode']]).toEqual([400, 'M_UNKNOWN']);
  });

  it('are refused once all of them are too long together, until some are gone', async () => {
    const long = { actions: [], conditions: [{ kind: 'org.example', any: 'x'.repeat(8_000) }] };
    let answer = await put('/global/override/0', long);
    let count = 1;
    while (answer.status === 200) answer = await put(`/global/override/${count++}`, long);
    expect([answer.status, answer.body['errcode']]).toEqual([403, 'M_USER_LIMIT_EXCEEDED']);
    expect(count).toBeGreaterThan(30);
    expect((await remove('/global/override/0')).status).toBe(200);
    expect((await put('/global/override/new', long)).status).toBe(200);
  });

  it('can be changed in place, switched off and on, and removed', async () => {
    await put('/global/content/mine', { actions: ['notify'], pattern: 'a' });
    await put('/global/content/mine/enabled', { enabled: false });
    await put('/global/content/mine', { actions: [], pattern: 'b' });
    expect((await get('/global/content/mine')).body).toMatchObject({ pattern: 'b', actions: [], enabled: false });
    expect((await remove('/global/content/mine')).body).toEqual({});
    expect((await get('/global/content/mine')).status).toBe(404);
    expect((await remove('/global/content/mine')).status).toBe(404);
    expect((await remove('/global/override/.m.rule.master')).status).toBe(404);
  });

  it('of the server can be changed in what they do and whether they do it', async () => {
    await put('/global/override/.m.rule.master/enabled', { enabled: true });
    await put('/global/underride/.m.rule.message/actions', { actions: ['notify', { set_tweak: 'highlight' }] });
    expect((await get('/global/override/.m.rule.master')).body).toMatchObject({ enabled: true, default: true });
    expect((await get('/global/underride/.m.rule.message/actions')).body).toEqual({
      actions: ['notify', { set_tweak: 'highlight' }],
    });
    expect((await put('/global/override/.not.a.rule/enabled', { enabled: true })).status).toBe(404);
    expect((await put('/global/sender/@bob:example.com/actions', { actions: ['notify'] })).status).toBe(404);
  });

  it.each([
    ['no scope', '/', {}],
    ['another scope', '/not_a_scope/room/x', {}],
    ['no kind', '/global', {}],
    ['no rule id', '/global/room', {}],
    ['an empty rule id', '/global/room/', {}],
    ['an unknown kind', '/global/not_a_kind/foo', { actions: [] }],
    ['a rule id with a backslash', '/global/room/%23fo%5Co:example.com', { actions: [] }],
    ['a reserved rule id', '/global/room/.mine', { actions: [] }],
    ['a condition that is no object', '/global/underride/mine', { actions: [], conditions: ['x'] }],
    ['a content rule without pattern', '/global/content/mine', { actions: [] }],
    ['no actions', '/global/room/mine', {}],
    ['an unknown action', '/global/room/mine', { actions: ['not_an_action'] }],
    ['an unknown attribute', '/global/override/.m.rule.master/colour', { enabled: true }],
    ['a wrong type', '/global/override/.m.rule.master/enabled', { enabled: 'yes' }],
  ])('are refused with %s', async (_, path, body) => {
    expect((await put(path, body)).status).toBe(400);
  });

  it.each([
    [{ key: 'type', pattern: 'm.*' }, 'M_MISSING_PARAM'],
    [{ kind: 1 }, 'M_BAD_JSON'],
    [{ kind: 'event_match', key: 1, pattern: 'm.*' }, 'M_BAD_JSON'],
    [{ kind: 'event_match', key: 'type' }, 'M_MISSING_PARAM'],
    [{ kind: 'event_property_is', key: 'content.x', value: 1.5 }, 'M_BAD_JSON'],
    [{ kind: 'event_property_contains', key: 'content.x', value: {} }, 'M_BAD_JSON'],
    [{ kind: 'room_member_count', is: 2 }, 'M_BAD_JSON'],
    [{ kind: 'sender_notification_permission' }, 'M_MISSING_PARAM'],
    [{ kind: 'io.element.msc4306.thread_subscription' }, 'M_MISSING_PARAM'],
    [{ kind: 'io.element.msc4306.thread_subscription', subscribed: 'yes' }, 'M_BAD_JSON'],
    [{ kind: 'io.element.msc4306.thread_subscription', subscribed: true }, undefined],
    [{ kind: 'event_property_is', key: 'content.x', value: null }, undefined],
    [{ kind: 'contains_display_name' }, undefined],
    [{ kind: 'org.example.new', value: { any: [1.5] } }, undefined],
  ])('have conditions of the form that the specification gives them: %j', async (condition, errcode) => {
    const { body } = await put('/global/underride/mine', { actions: [], conditions: [condition] });
    expect(body['errcode']).toBe(errcode);
    expect((await get('/global/underride/mine')).status).toBe(errcode === undefined ? 200 : 404);
  });

  it.each(['GET', 'PUT', 'DELETE'] as const)(
    'have six kinds: %s of another is refused, in any scope',
    async (method) => {
      const body = method === 'PUT' ? { actions: [], enabled: true } : undefined;
      for (const path of ['/global/not_a_kind/x', '/not_a_scope/room/x', '/device/phone/not_a_kind/x']) {
        for (const root of [RULES, V1_RULES]) {
          const { status, body: answer } = await app.call(method, `${root}${path}`, { token, body });
          expect([path, status]).toEqual([path, 400]);
          expect(['M_INVALID_PARAM', 'M_UNRECOGNIZED']).toContain(answer['errcode']);
        }
      }
      for (const path of ['/global/not_a_kind/x/enabled', '/global/not_a_kind/x/actions']) {
        if (method !== 'DELETE') expect((await app.call(method, `${RULES}${path}`, { token, body })).status).toBe(400);
      }
    },
  );

  it('about threads are the server’s, switched under either name of their kind, and nobody’s own', async () => {
    const id = '.io.element.msc4306.rule.subscribed_thread';
    expect((await get(`/global/postcontent/${id}/enabled`)).body).toEqual({ enabled: false });
    await put(`/global/io.element.msc4306.postcontent/${id}/enabled`, { enabled: true });
    expect((await get(`/global/postcontent/${id}`)).body).toEqual({
      rule_id: id,
      default: true,
      enabled: true,
      conditions: [{ kind: 'io.element.msc4306.thread_subscription', subscribed: true }],
      actions: ['notify', { set_tweak: 'sound', value: 'default' }],
    });
    const { status, body } = await put('/global/postcontent/mine', { actions: [], conditions: [] });
    expect([status, body['errcode']]).toEqual([400, 'M_INVALID_PARAM']);
  });

  it('are switched by true or false alone in the API of 2015, and by an object', async () => {
    const path = '/global/override/.m.rule.master/enabled';
    for (const enabled of [true, false]) {
      expect((await app.call('PUT', `${V1_RULES}${path}`, { token, body: enabled })).body).toEqual({});
      expect((await get(path)).body).toEqual({ enabled });
      expect((await app.call('PUT', `${V1_RULES}${path}`, { token, body: { enabled: !enabled } })).body).toEqual({});
      expect((await get(path)).body).toEqual({ enabled: !enabled });
    }
    for (const body of ['true', 1, null, [], {}]) {
      expect((await app.call('PUT', `${V1_RULES}${path}`, { token, body })).status).toBe(400);
    }
    expect((await put(path, true)).body['errcode']).toBe('M_BAD_JSON');
  });

  it('for a sender of this server are called by the user id in any case, for another server by exactly that', async () => {
    const server = userId.slice(userId.indexOf(':') + 1);
    await put(`/global/sender/@BOB:${server}`, { actions: ['notify'] });
    await put(`/global/sender/@Carol:${server}?after=@bOb:${server}`, { actions: [] });
    await put('/global/sender/@BOB:else.example', { actions: [] });
    expect(await idsOf('sender')).toEqual(['@BOB:else.example', `@bob:${server}`, `@carol:${server}`]);
    expect((await put(`/global/sender/@Bob:${server}/enabled`, { enabled: false })).status).toBe(200);
    expect((await put(`/global/sender/@Bob:${server}/actions`, { actions: [] })).status).toBe(200);
    expect((await get(`/global/sender/@boB:${server}`)).body).toMatchObject({ enabled: false, actions: [] });
    expect((await get('/global/sender/@bob:else.example')).status).toBe(404);
    expect((await remove(`/global/sender/@BoB:${server}`)).status).toBe(200);
  });

  it('are found only under their exact paths', async () => {
    expect((await app.call('GET', RULES, { token })).status).toBe(404);
    for (const path of ['/global', '/global/room', '/not_a_scope/', '/global/not_a_kind/']) {
      expect((await get(path)).status).toBe(400);
    }
    expect((await get('/global/override/.m.rule.master/colour')).status).toBe(400);
    expect((await get('/global/override/unknown')).status).toBe(404);
  });

  it('of API v1 may be for one profile tag alone, above all others', async () => {
    const v1 = (method: 'GET' | 'PUT' | 'DELETE', path: string, body?: unknown) =>
      app.call(method, `${V1_RULES}${path}`, { token, body });
    expect((await v1('GET', '/')).body).toMatchObject({ device: {}, global: {} });
    expect((await v1('PUT', '/device/work/room/!a:b', { actions: ['dont_notify'] })).body).toEqual({});
    expect((await v1('PUT', '/device/work/room/!b:b?before=!a:b', { actions: [] })).body).toEqual({});
    expect((await v1('PUT', '/device/__proto__/room/!c:b', { actions: [] })).body).toEqual({});
    const room = { rule_id: '!a:b', actions: ['dont_notify'], enabled: true, default: false };
    expect((await v1('GET', '/device/work/room/!a:b')).body).toEqual(room);
    expect(JSON.parse((await v1('GET', '/device/work/room/')).text)).toMatchObject([{ rule_id: '!b:b' }, room]);
    expect((await v1('GET', '/device/work/')).body).toMatchObject({ override: [], room: [{}, room], underride: [] });
    expect((await v1('GET', '/device/home/')).body).toMatchObject({ override: [], room: [] });
    const { device } = (await v1('GET', '/')).body as { device: Record<string, object> };
    expect(Object.keys(device).toSorted()).toEqual(['__proto__', 'work']);
    expect((await v1('PUT', '/device/work/room/!a:b/enabled', false)).body).toEqual({});
    expect((await v1('GET', '/device/work/room/!a:b/enabled')).body).toEqual({ enabled: false });
    expect((await v1('PUT', '/device/work/override/.m.rule.master/enabled', true)).status).toBe(404);
    expect((await v1('PUT', `/device/${'x'.repeat(33)}/room/!a:b`, { actions: [] })).status).toBe(400);
    // Today's API has none of it.
    expect((await get('/')).body).not.toHaveProperty('device');
    expect((await put('/device/work/room/!a:b', { actions: [] })).status).toBe(400);
    expect(await idsOf('room')).toEqual([]);
    for (const id of ['!a:b', '!b:b']) expect((await v1('DELETE', `/device/work/room/${id}`)).status).toBe(200);
    expect(Object.keys(((await v1('GET', '/')).body as { device: object }).device)).toEqual(['__proto__']);
  });

  it('of API v1 are found with parts of the path left out, and set as its text spells them', async () => {
    const v1 = (method: 'GET' | 'PUT', path: string, body?: unknown) =>
      app.call(method, `${V1_RULES}${path}`, { token, body });
    const cake = { pattern: 'cake', actions: ['notify', { set_sound: 'cakealarm.wav' }] };
    const actions = ['notify', { set_tweak: 'sound', value: 'cakealarm.wav' }];
    expect((await v1('PUT', '/global/content/cake', cake)).status).toBe(200);
    expect((await v1('GET', '/global/content/cake')).body).toMatchObject({ pattern: 'cake', actions });
    expect((await v1('PUT', '/global/content/cake/actions', { actions: ['coalesce'] })).status).toBe(200);
    expect((await get('/global/content/cake')).body).toMatchObject({ actions: ['coalesce', 'notify'] });
    expect((await v1('PUT', '/device/work/content/cake', cake)).status).toBe(200);
    expect((await v1('PUT', '/device/work/content/cake/actions', { actions: ['dont-notify'] })).status).toBe(200);
    const { global, device } = (await v1('GET', '')).body as {
      global: { content: object[] };
      device: { work: { content: object[] } };
    };
    expect(device.work.content).toMatchObject([{ actions: ['dont_notify'] }]);
    expect((await v1('GET', '/global')).body).toEqual(global);
    expect(JSON.parse((await v1('GET', '/global/content')).text)).toEqual(global.content);
    expect((await v1('GET', '/device')).body).toEqual(device);
    expect((await v1('GET', '/device/')).body).toEqual(device);
    // Today's API knows none of these words.
    expect((await put('/global/content/cake', cake)).status).toBe(400);
    expect((await put('/global/content/cake', { pattern: 'x', actions: ['dont-notify'] })).status).toBe(400);
  });
});
