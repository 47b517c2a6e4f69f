import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { type Ask, askV1, DIALECTS, V1, V3 } from './support/dialects.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { Member } from './support/federation/member.js';
import { type Answer, passwordOf } from './support/homeserver.js';
import { path, refusal } from './support/three-users.js';

const STARTS = 120_000;
const WITHIN = 90_000;
/** In hooks, where nothing is polled. */
const PATIENTLY = { timeout: 60_000, interval: 50 };

let here: FederatingAnnals;
let there: FederatingAnnals;
beforeAll(async () => {
  const authority = new TestAuthority();
  [here, there] = await Promise.all([FederatingAnnals.begin(authority), FederatingAnnals.begin(authority)]);
}, STARTS);
afterAll(async () => {
  await here?.remove();
  await there?.remove();
});

let count = 0;
/** Somebody of one of the servers, by a name of their own. */
const somebody = (server: FederatingAnnals, name: string): Promise<Member> => Member.at(server, `${name}${count++}`);

async function ok(asked: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await asked;
  expect([status, body]).toEqual([200, body]);
  return body;
}

/** What a room says of somebody's membership to one of its members. */
const memberIn = async (by: Member, room: string, { id }: Member): Promise<Answer['body']> =>
  (await by.request('GET', path(room, 'state', 'm.room.member', id))).body;

describe('a profile', () => {
  const profileOf = ({ id }: Member, key?: string): string =>
    `/profile/${encodeURIComponent(id)}${key === undefined ? '' : `/${encodeURIComponent(key)}`}`;
  const set = (ask: Ask, who: Member, key: string, value: unknown): Promise<Answer> =>
    ask(who, 'PUT', profileOf(who, key), { [key]: value });
  const [PET, NAME] = ['org.example.pet', 'm.profile.display_name'];

  it(
    'has any key with a namespace, set in either dialect, and is told to other servers in both',
    async () => {
      const [ann, bob] = [await somebody(here, 'ann'), await somebody(there, 'bob')];
      const [today, v1] = DIALECTS.map(([, ask]) => ask) as [Ask, Ask];
      await ok(set(today, ann, 'm.tz', 'Europe/Berlin'));
      await ok(set(today, ann, 'org.example.from_today', [1, { two: null }]));
      await ok(set(v1, ann, PET, { kind: 'cat', age: 3 }));
      await ok(set(v1, ann, NAME, 'Ann'));
      const told = {
        displayname: 'Ann',
        'm.tz': 'Europe/Berlin',
        'org.example.from_today': [1, { two: null }],
        [PET]: { kind: 'cat', age: 3 },
      };
      for (const who of [ann, bob]) {
        expect(await ok(today(who, 'GET', profileOf(ann)))).toEqual(told);
        expect(await ok(v1(who, 'GET', profileOf(ann)))).toEqual({ ...told, [NAME]: 'Ann' });
        for (const [, ask] of DIALECTS) {
          expect(await ok(ask(who, 'GET', profileOf(ann, PET)))).toEqual({ [PET]: told[PET] });
          expect(await ok(ask(who, 'GET', profileOf(ann, NAME)))).toEqual({ [NAME]: 'Ann' });
          expect(refusal(await ask(who, 'GET', profileOf(ann, 'org.example.none')))).toEqual([404, 'M_NOT_FOUND']);
        }
      }
    },
    WITHIN,
  );

  it.each(DIALECTS)(
    'is bounded, each key and all in all, for an application of %s, and is nobody else’s to change',
    async (_, ask) => {
      const [ann, eve] = [await somebody(here, 'ann'), await somebody(here, 'eve')];
      await ok(set(ask, ann, PET, 'cat'));
      const long = `org.${'x'.repeat(255)}`;
      for (const [key, value, expected] of [
        [PET, 'x'.repeat(65_536), [400, 'M_PROFILE_TOO_LARGE']],
        [long, 1, [400, 'M_KEY_TOO_LARGE']],
        ['no_namespace', 1, [400, 'M_INVALID_PARAM']],
        ['displayname', 'x'.repeat(257), [400, 'M_INVALID_PARAM']],
        ['displayname', 7, [400, 'M_BAD_JSON']],
      ] as const) {
        expect([key, ...refusal(await set(ask, ann, key, value))]).toEqual([key, ...expected]);
      }
      expect(refusal(await ask(eve, 'PUT', profileOf(ann, PET), { [PET]: 'dog' }))).toEqual([403, 'M_FORBIDDEN']);
      expect(refusal(await ask(ann, 'PUT', profileOf(ann, PET), {}))).toEqual([400, 'M_MISSING_PARAM']);
      expect(await ok(ask(eve, 'GET', profileOf(ann, PET)))).toEqual({ [PET]: 'cat' });
      await ok(ask(ann, 'DELETE', profileOf(ann, PET)));
      expect((await ask(eve, 'GET', profileOf(ann, PET))).status).toBe(404);
    },
    WITHIN,
  );

  it(
    'is shown to whom its owner says, and of what is not for everybody other servers hear nothing',
    async () => {
      const [ann, mate, eve] = [await somebody(here, 'ann'), await somebody(here, 'mate'), await somebody(here, 'eve')];
      const bob = await somebody(there, 'bob');
      const readers = { readers: [mate.id, bob.id] };
      await ok(askV1(ann, 'PUT', `${profileOf(ann, PET)}/readers`, readers));
      await ann.ok('PUT', profileOf(ann, PET), { [PET]: 'cat' });
      await ann.ok('PUT', profileOf(ann, 'm.tz'), { 'm.tz': 'UTC' });
      const unstable = `/_matrix/client/unstable/dev.annals.profile/${encodeURIComponent(ann.id)}/${PET}/readers`;
      expect(await ann.ok('GET', unstable)).toEqual({ readers: readers.readers.toSorted() });
      for (const [, ask] of DIALECTS) {
        expect(await ok(ask(mate, 'GET', profileOf(ann)))).toEqual({ 'm.tz': 'UTC', [PET]: 'cat' });
        expect(await ok(ask(eve, 'GET', profileOf(ann)))).toEqual({ 'm.tz': 'UTC' });
        expect(refusal(await ask(eve, 'GET', profileOf(ann, PET)))).toEqual([404, 'M_NOT_FOUND']);
        // One server asks another for nobody in particular.
        expect(await ok(ask(bob, 'GET', profileOf(ann)))).toEqual({ 'm.tz': 'UTC' });
      }
      expect(refusal(await eve.request('GET', unstable))).toEqual([403, 'M_FORBIDDEN']);
    },
    WITHIN,
  );

  it(
    'that changes in its name or picture is told to the rooms, on all servers, whichever dialect it was said in',
    async () => {
      const [ann, bob] = [await somebody(here, 'ann'), await somebody(there, 'bob')];
      const room = await ann.create('11');
      await bob.join(room, ann);
      await ok(set(askV1, ann, NAME, 'Ann of 2015'));
      await expect.poll(() => memberIn(bob, room, ann)).toMatchObject({ displayname: 'Ann of 2015' });
      await ann.ok('PUT', profileOf(ann, 'avatar_url'), { avatar_url: 'mxc://localhost/ann' });
      const shown = { membership: 'join', displayname: 'Ann of 2015', avatar_url: 'mxc://localhost/ann' };
      await expect.poll(() => memberIn(bob, room, ann)).toMatchObject(shown);
      const readers = `/_matrix/client/unstable/dev.annals.profile/${encodeURIComponent(ann.id)}/displayname/readers`;
      await ann.ok('PUT', readers, { readers: [] });
      await expect.poll(() => memberIn(bob, room, ann)).not.toHaveProperty('displayname');
    },
    WITHIN,
  );
});

describe('an invitation by a user of another server', () => {
  const SIGNALS = 'dev.annals.one_to_one_invites';
  const LISTS = 'org.matrix.msc4155.invite_permission_config';
  const BLOCKED = [403, 'M_INVITE_BLOCKED'];

  let alice: Member;
  let bob: Member;
  const begin = async (): Promise<void> => {
    [alice, bob] = [await somebody(here, 'alice'), await somebody(there, 'bob')];
  };
  const configure = (content: object, type = 'm.invite_permission_config'): Promise<unknown> =>
    bob.ok('PUT', `/user/${encodeURIComponent(bob.id)}/account_data/${type}`, content);
  const chooses = (presence: string): Promise<unknown> =>
    ok(askV1(bob, 'PUT', `/presence/${encodeURIComponent(bob.id)}/status`, { presence }));
  const newRoom = (by: Member): Promise<string> => by.create('11', { preset: 'private_chat' });
  /** Into a chat of two, unless told otherwise: as a state event, which both dialects have. */
  const asks = (ask: Ask, by: Member, room: string, isDirect = true): Promise<Answer> =>
    ask(by, 'PUT', path(room, 'state', 'm.room.member', bob.id), {
      membership: 'invite',
      ...(isDirect ? { is_direct: true } : {}),
    });
  const invites = (ask: Ask, room: string): Promise<Answer> =>
    ask(alice, 'POST', path(room, 'invite'), { user_id: bob.id });
  /** Where Bob is told that he is invited, in both dialects. */
  const shown = async (): Promise<[string[], string[]]> => {
    const { rooms } = await bob.ok('GET', '/sync');
    const initial = await ok(askV1(bob, 'GET', '/initialSync?limit=1'));
    const invited = initial.rooms.filter(({ membership }: { membership: string }) => membership === 'invite');
    return [Object.keys(rooms?.invite ?? {}), invited.map(({ room_id: id }: { room_id: string }) => id)];
  };

  it.each(DIALECTS)(
    'is refused where they want none, however an application of %s invites, and the room has nothing of it',
    async (_, ask) => {
      await begin();
      await configure({ default_action: 'block' });
      const room = await newRoom(alice);
      expect(refusal(await invites(ask, room))).toEqual(BLOCKED);
      expect(refusal(await asks(ask, alice, room))).toEqual(BLOCKED);
      expect(refusal(await asks(ask, alice, room, false))).toEqual(BLOCKED);
      expect((await memberIn(alice, room, bob)).errcode).toBe('M_NOT_FOUND');
      expect(await shown()).toEqual([[], []]);
      await configure({ default_action: 'allow' });
      expect((await invites(ask, room)).status).toBe(200);
      await expect.poll(shown).toEqual([[room], [room]]);
      await bob.join(room, alice);
    },
    WITHIN,
  );

  it(
    'is refused, or taken and never shown, as lists of users and servers say',
    async () => {
      await begin();
      const carol = await somebody(here, 'carol');
      await configure({ allowed_users: [carol.id], blocked_servers: [here.name] }, LISTS);
      for (const [, ask] of DIALECTS) {
        expect(refusal(await asks(ask, alice, await newRoom(alice)))).toEqual(BLOCKED);
        expect((await asks(ask, carol, await newRoom(carol))).status).toBe(200);
      }
      await expect.poll(shown).toMatchObject([{ length: 2 }, { length: 2 }]);
      await configure({ ignored_users: ['@*:*'] }, LISTS);
      const room = await newRoom(alice);
      for (const [, ask] of DIALECTS) expect((await invites(ask, room)).status).toBe(200);
      expect((await memberIn(alice, room, bob)).membership).toBe('invite');
      expect(await shown()).toEqual([[], []]);
    },
    WITHIN,
  );

  it.each(DIALECTS)(
    'into a chat of two goes by what their presence says of everybody, of a list and of nobody: asked by an application of %s',
    async (_, ask) => {
      await begin();
      const friend = await somebody(here, 'friend');
      await configure({ free_for_chat: 'everybody', online: 'list', busy: 'nobody' }, SIGNALS);
      await ok(askV1(bob, 'POST', `/presence/list/${encodeURIComponent(bob.id)}`, { invite: [friend.id] }));
      const may = async (by: Member, isDirect?: boolean): Promise<unknown> => {
        const answer = await asks(ask, by, await newRoom(by), isDirect);
        return answer.status === 200 ? 'yes' : refusal(answer);
      };
      expect([await may(alice), await may(friend), await may(alice, false)]).toEqual([BLOCKED, 'yes', 'yes']);
      await chooses('free_for_chat');
      expect(await may(alice)).toBe('yes');
      await chooses('busy');
      expect([await may(alice), await may(friend)]).toEqual([BLOCKED, BLOCKED]);
    },
    WITHIN,
  );

  it(
    'is held where they say so, whatever is killed meanwhile, and shown once they have another presence',
    async () => {
      await begin();
      await configure({ busy: 'nobody', online: 'everybody', otherwise: 'hold' }, SIGNALS);
      await chooses('busy');
      const rooms: string[] = [];
      for (const [, ask] of DIALECTS) {
        const wanted = { visibility: 'private', invite: [bob.id], is_direct: true };
        const { room_id: room } = await ok(ask(alice, 'POST', '/createRoom', wanted));
        await expect.poll(async () => (await memberIn(alice, room, bob)).membership).toBe('invite');
        rooms.push(room);
      }
      expect(await shown()).toEqual([[], []]);
      await there.restart('SIGKILL');
      expect(await shown()).toEqual([[], []]);
      await chooses('online');
      const all = expect.arrayContaining(rooms) as unknown;
      await expect.poll(shown).toEqual([all, all]);
      for (const room of rooms) {
        await bob.join(room, alice);
        const said = await bob.say(room, 'here I am');
        await expect.poll(async () => (await alice.request('GET', path(room, 'event', said))).status).toBe(200);
      }
    },
    WITHIN,
  );
});

describe('somebody who closes their account with erase', () => {
  const SECRET = 'unmistakable';
  const bodyOf = async (who: Member, room: string, eventId: string): Promise<unknown> => {
    const { status, body } = await who.request('GET', path(room, 'event', eventId));
    return status === 200 ? body.content.body : status;
  };
  const listOf = (who: Member): Promise<Answer['body']> =>
    ok(askV1(who, 'GET', `/presence/list/${encodeURIComponent(who.id)}`));
  const change = (who: Member, body: object): Promise<unknown> =>
    ok(askV1(who, 'POST', `/presence/list/${encodeURIComponent(who.id)}`, body));

  let zoe: Member;
  let carol: Member;
  let bob: Member;
  /** With Bob in it, who is of the other server, and without. */
  let shared: string;
  let local: string;
  let said: { shared: string; local: string };
  let media: string;
  const name = (): string => zoe.id.slice(1, zoe.id.indexOf(':'));

  beforeAll(async () => {
    [zoe, carol, bob] = [await somebody(here, 'zoe'), await somebody(here, 'carol'), await somebody(there, 'bob')];
    [shared, local] = [await carol.create('11'), await carol.create('11')];
    await zoe.ok('PUT', `/profile/${encodeURIComponent(zoe.id)}/displayname`, { displayname: `Zoë ${SECRET}` });
    for (const room of [shared, local]) await zoe.join(room);
    await bob.join(shared, carol);
    said = { shared: await zoe.say(shared, SECRET), local: await zoe.say(local, SECRET) };
    const uploaded = await fetch(`${here.base}/_matrix/media/v3/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${zoe.token}`, 'content-type': 'text/plain' },
      body: SECRET,
    });
    media = ((await uploaded.json()) as { content_uri: string }).content_uri;
    await change(bob, { invite: [zoe.id] });
    const watchers = `/presence/list/${encodeURIComponent(zoe.id)}/watchers`;
    await vi.waitFor(async () => expect(await ok(askV1(zoe, 'GET', watchers))).toHaveLength(1), PATIENTLY);
    await change(zoe, { accept: [bob.id] });
    const listed = [{ user_id: zoe.id, accepted: true }];
    await vi.waitFor(async () => expect(await listOf(bob)).toMatchObject(listed), PATIENTLY);
    await vi.waitFor(async () => expect(await bodyOf(bob, shared, said.shared)).toBe(SECRET), PATIENTLY);

    const auth = { type: 'm.login.password', user: name(), password: passwordOf(name()) };
    await zoe.ok('POST', '/account/deactivate', { auth, erase: true });
  }, WITHIN);

  it('cannot get in any more, and nobody gets their name', async () => {
    for (const [, ask] of DIALECTS) {
      const gone = await ask(zoe, 'GET', path(shared, 'messages'));
      expect([...refusal(gone), gone.body.soft_logout ?? false]).toEqual([401, 'M_UNKNOWN_TOKEN', false]);
    }
    const credentials = { type: 'm.login.password', user: name(), password: passwordOf(name()) };
    for (const api of [V3, V1])
      expect(refusal(await here.request('POST', `${api}/login`, { body: credentials }))).toEqual([403, 'M_FORBIDDEN']);
    const wanted = { username: name(), password: 'another password', auth: { type: 'm.login.dummy' } };
    const taken = [400, 'M_USER_IN_USE'];
    expect(refusal(await here.request('POST', `${V3}/register`, { body: wanted }))).toEqual(taken);
    expect(refusal(await here.request('POST', `${V1}/register`, { body: credentials }))).toEqual(taken);
    expect(refusal(await here.request('GET', `${V3}/register/available?username=${name()}`))).toEqual(taken);
  });

  it('has no profile, no media, no place in lists and rooms any more, on either server', async () => {
    for (const who of [carol, bob])
      for (const [, ask] of DIALECTS) {
        const { body } = await ask(who, 'GET', `/profile/${encodeURIComponent(zoe.id)}`);
        expect(JSON.stringify(body)).not.toContain(SECRET);
      }
    const download = `/_matrix/client/v1/media/download/${media.slice('mxc://'.length)}`;
    await expect.poll(async () => (await carol.request('GET', download)).status).toBe(404);
    expect((await bob.request('GET', download)).status).toBe(404);
    await expect.poll(() => listOf(bob)).toEqual([]);
    await expect.poll(async () => (await memberIn(bob, shared, zoe)).membership).toBe('leave');
    await expect.poll(async () => (await memberIn(carol, local, zoe)).membership).toBe('leave');
    const found = await carol.ok('POST', '/user_directory/search', { search_term: SECRET });
    expect(found.results).toEqual([]);
  });

  it('is still read by who was there, and by nobody who comes later, in either dialect', async () => {
    expect(await bodyOf(carol, local, said.local)).toBe(SECRET);
    expect(await bodyOf(bob, shared, said.shared)).toBe(SECRET);
    const dave = await somebody(here, 'dave');
    for (const [room, eventId] of [
      [shared, said.shared],
      [local, said.local],
    ] as const) {
      await dave.join(room);
      expect((await dave.event(room, eventId)).content).toEqual({});
      for (const [, ask] of DIALECTS) {
        const { chunk } = await ok(ask(dave, 'GET', `${path(room, 'messages')}?dir=b&limit=50`));
        const text = JSON.stringify(chunk);
        expect([text.includes(eventId), text.includes(SECRET)]).toEqual([true, false]);
      }
      const initial = await ok(askV1(dave, 'GET', `${path(room, 'initialSync')}?limit=50`));
      expect(JSON.stringify(initial)).not.toContain(SECRET);
      expect(JSON.stringify(await dave.ok('GET', path(room, 'state')))).not.toContain(SECRET);
    }
    const search = { search_categories: { room_events: { search_term: SECRET } } };
    expect((await dave.ok('POST', '/search', search)).search_categories.room_events.count).toBe(0);
  });

  it('says nothing that their server tells one that comes into a room later', async () => {
    const erin = await somebody(there, 'erin');
    await erin.join(local, carol);
    const toldOfIt = async (): Promise<unknown> =>
      (await erin.history(local)).find(({ event_id: id }) => id === said.local)?.content;
    await expect.poll(toldOfIt).toEqual({});
    expect(JSON.stringify(await erin.ok('GET', path(local, 'state')))).not.toContain(SECRET);
  });
});
