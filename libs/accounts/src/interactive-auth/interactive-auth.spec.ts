import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { systemClock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MemoryEventStore } from '#testing/memory-event-store';
import { AuthNotes } from './auth-notes.js';
import { type AuthSession, AuthSessions, type Operation } from './auth-sessions.js';
import { InteractiveAuth } from './interactive-auth.js';
import { InteractionRequired, StageFailed } from './interaction-required.js';
import { PASSED, type Stage } from './stage.js';
import { StageRegistry } from './stage-registry.js';

const TOKEN = 'm.login.registration_token';
const DUMMY = 'm.login.dummy';
const PASSWORD = 'm.login.password';
const operation: Operation = {
  name: 'POST /test',
  purpose: 'confirmation',
  userId: '@alice:example.org' as UserId,
  flows: [[TOKEN, DUMMY], [PASSWORD]],
};

/** Stages that `auth.right` passes; `auth.begins` has them begin something. */
const stages = new StageRegistry();
for (const type of [TOKEN, DUMMY, PASSWORD]) {
  stages.add({
    type,
    rank: 1,
    standingIn: () => 'alternative',
    ...(type === TOKEN ? { params: () => ({ hint: 'a token' }) } : {}),
    view: () => ({ redirectTo: '/' }),
    async pass(auth) {
      if (auth['begins'] === true) return { isComplete: false, answer: { sent: true } };
      if (auth['right'] !== true) throw new StageFailed('M_FORBIDDEN', 'wrong');
      return PASSED;
    },
  } satisfies Stage);
}

async function readStream(store: MemoryEventStore): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream('auth-notes')) facts.push(fact);
  return facts;
}

const stage = (type: string, session: unknown, right = true): JsonObject => ({
  type,
  session: session as string,
  right,
});

describe('interactive authentication', () => {
  let now: number;
  let wall: number;
  let store: MemoryEventStore;
  let sessions: AuthSessions;
  let auth: InteractiveAuth;
  beforeEach(() => {
    now = 1000;
    wall = 1_700_000_000_000;
    store = new MemoryEventStore();
    restart();
  });

  const clock = { now: () => wall, elapsed: () => now };
  /** As another process of the server upon the same log, too. */
  const restart = (): void => {
    sessions = new AuthSessions(clock, new AuthNotes(store, clock));
    auth = new InteractiveAuth(sessions, stages);
  };

  const refusal = async (body: JsonObject, of: Operation = operation): Promise<JsonObject> => {
    const error: unknown = await auth.authorise(of, body).then(
      () => new Error('it was authorised'),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof InteractionRequired)) throw error;
    expect(error.status).toBe(401);
    return error.toBody();
  };

  it('goes through the stages of a flow in their order', async () => {
    const { session } = await refusal({ x: 1 });
    const early = await refusal({ x: 1, auth: stage(DUMMY, session) });
    expect(early).toMatchObject({ errcode: 'M_UNRECOGNIZED', completed: [] });
    const first = await refusal({ x: 1, auth: stage(TOKEN, session) });
    expect(first).toEqual({
      session,
      params: { [TOKEN]: { hint: 'a token' } },
      completed: [TOKEN],
      flows: [{ stages: [TOKEN, DUMMY] }, { stages: [PASSWORD] }],
    });
    const again = await refusal({ x: 1, auth: stage(TOKEN, session, false) });
    expect(again).toEqual(first);
    const other = await refusal({ x: 1, auth: stage(PASSWORD, session) });
    expect(other).toMatchObject({ errcode: 'M_UNRECOGNIZED', completed: [TOKEN] });
    const done = await auth.authorise(operation, { auth: stage(DUMMY, session) });
    expect(done.body).toEqual({ x: 1 });
  });

  it('says what a stage has begun beside what is known of it anyhow, and waits', async () => {
    const begun = await refusal({ x: 1, auth: { type: TOKEN, begins: true } });
    expect(begun).toMatchObject({ completed: [], params: { [TOKEN]: { hint: 'a token', sent: true } } });
    expect(begun).not.toHaveProperty('errcode');
    const next = await refusal({ x: 1, auth: stage(TOKEN, begun['session']) });
    expect(next).toMatchObject({ completed: [TOKEN], params: { [TOKEN]: { hint: 'a token' } } });
  });

  it('takes a stage that was passed elsewhere where it is its turn, and never of two people in one session', async () => {
    const { session } = await refusal({ x: 1 });
    const opened = await auth.getSession(String(session));
    const alice = '@alice:example.org' as UserId;
    await expect(auth.completeElsewhere(opened, DUMMY)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    await auth.completeElsewhere(opened, TOKEN, { userId: alice });
    const eve = { userId: '@eve:example.org' as UserId };
    await expect(auth.completeElsewhere(opened, DUMMY, eve)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    await auth.completeElsewhere(opened, DUMMY, { userId: alice });
    expect((await auth.authorise(operation, { x: 1, auth: { session: session as string } })).learnt).toEqual({
      userId: alice,
    });
  });

  it('needs no session where one stage is enough', async () => {
    const done = await auth.authorise(operation, { x: 1, auth: { type: PASSWORD, right: true } });
    expect(done.body).toEqual({ x: 1 });
    expect(await refusal({ x: 1, auth: { type: PASSWORD } })).toMatchObject({ errcode: 'M_FORBIDDEN', error: 'wrong' });
  });

  it('holds to the request once a stage is complete, and to the operation from the start', async () => {
    const { session } = await refusal({});
    await refusal({ x: 1, auth: stage(TOKEN, session) });
    const forbidden = { errcode: 'M_FORBIDDEN', status: 403 };
    await expect(auth.authorise(operation, { x: 2, auth: stage(DUMMY, session) })).rejects.toMatchObject(forbidden);
    const others = [
      { ...operation, name: 'POST /other' },
      { ...operation, userId: '@eve:example.org' as UserId },
    ];
    for (const other of others) {
      await expect(auth.authorise(other, { auth: stage(DUMMY, session) })).rejects.toMatchObject(forbidden);
    }
    expect((await auth.authorise(operation, { x: 1, auth: stage(DUMMY, session) })).body).toEqual({ x: 1 });
  });

  it('is not over because the clock was set forward', async () => {
    auth = new InteractiveAuth(new AuthSessions(systemClock, new AuthNotes(store, systemClock)), stages);
    const { session } = await refusal({ x: 1 });
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 365 * 24 * 3_600_000);
    expect(await refusal({ x: 1, auth: stage(TOKEN, session) })).toMatchObject({ session });
    vi.restoreAllMocks();
  });

  it('begins again where the session is over, unknown or none at all, and tries nothing in it', async () => {
    const { session } = await refusal({ x: 1 });
    await refusal({ x: 1, auth: stage(TOKEN, session) });
    now += 30 * 60 * 1000;
    const last = [stage(TOKEN, session), stage(PASSWORD, session), stage(PASSWORD, 'unknown'), stage(PASSWORD, 5)];
    for (const tried of last) {
      const fresh = await refusal({ x: 1, auth: tried });
      expect(fresh).toEqual({ ...fresh, session: expect.any(String), completed: [], errcode: undefined });
      expect(fresh['session']).not.toBe(session);
      // All of it is said again: what the client had said when it began is gone.
      const done = await auth.authorise(operation, { x: 1, auth: stage(PASSWORD, fresh['session']) });
      expect(done.body).toEqual({ x: 1 });
    }
  });

  it('does not take the last request of a session that is spent for the first of another', async () => {
    const { session } = await refusal({ erase: true });
    const done = await auth.authorise(operation, { auth: stage(PASSWORD, session) });
    await auth.doAndClose(done, async () => undefined);
    expect(await refusal({ auth: stage(PASSWORD, session) })).toMatchObject({ completed: [] });
  });

  it('has the answer of a session for who repeats its request, and not for another request', async () => {
    const session = await auth.authorise(operation, { x: 1, auth: { type: PASSWORD, right: true } });
    await auth.doOnce(session, async () => 'the answer');
    const repeated = { session: session.id, type: PASSWORD };
    expect(await auth.findResult(operation, { x: 1, auth: repeated })).toBe('the answer');
    expect(await auth.findResult(operation, { auth: repeated })).toBe('the answer');
    expect(await auth.findResult(operation, { x: 2, auth: repeated })).toBeUndefined();
    const refused = auth.authorise(operation, { x: 2, auth: repeated });
    await expect(refused).rejects.toMatchObject({ errcode: 'M_FORBIDDEN', status: 403 });
  });

  it('does the work of a session once, unless it failed', async () => {
    const session: AuthSession = await auth.authorise(operation, { auth: { type: PASSWORD, right: true } });
    let count = 0;
    const work = async (): Promise<number> => ++count;
    await expect(auth.doOnce(session, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(await Promise.all([auth.doOnce(session, work), auth.doOnce(session, work)])).toEqual([1, 1]);
    expect(await auth.findResult(operation, { auth: { session: session.id } })).toBe(1);
    const other = { ...operation, name: 'POST /other' };
    expect(await auth.findResult(other, { auth: { session: session.id } })).toBeUndefined();
    expect(await auth.findResult(operation, {})).toBeUndefined();
  });

  it('does the work of a session in one of two processes that have it in hand, and again where that failed', async () => {
    const { session } = await refusal({ auth: { type: TOKEN, right: true } });
    const first = await auth.authorise(operation, { auth: stage(DUMMY, session) });
    const one = auth;
    restart();
    const second = await auth.authorise(operation, { auth: stage(DUMMY, session) });
    let end = (): void => {};
    const doing = one.doOnce(first, () => new Promise<void>((_, reject) => (end = () => reject(new Error('failed')))));
    await new Promise(setImmediate);
    await expect(auth.doOnce(second, async () => 'twice')).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
    end();
    await expect(doing).rejects.toThrow('failed');
    expect(await auth.doOnce(second, async () => 'once')).toBe('once');
    await expect(one.doOnce(first, async () => 'twice')).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
  });

  it('lets a session be used no more where its work is done for good', async () => {
    const session = await auth.authorise(operation, { x: 1, auth: { type: PASSWORD, right: true } });
    expect(await auth.doAndClose(session, async () => 'done')).toBe('done');
    expect(await refusal({ auth: { session: session.id } })).toMatchObject({ completed: [] });
  });

  it('does the work of a session that the log has no part of once, also where two have it in hand', async () => {
    const session = sessions.open(operation, {});
    const both = [1, 2].map((number) => auth.doAndClose(session, async () => number));
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('refuses an auth that is no object', async () => {
    await expect(auth.authorise(operation, { auth: 'password' })).rejects.toMatchObject({ errcode: 'M_BAD_JSON' });
  });

  it('forgets the oldest sessions where their bodies are too large together, also those that grew', async () => {
    const open = async (body: JsonObject): Promise<string> => String((await refusal(body))['session']);
    const large = 'x'.repeat(1024 * 1024);
    const first = await open({ x: 'small' });
    const ids: string[] = [];
    for (let i = 0; i < 16; i++) ids.push(await open({ x: i }));
    for (const session of ids) await open({ x: large, auth: { session } });
    const kept: string[] = [];
    for (const id of [first, ...ids]) if ((await sessions.find(id)) !== undefined) kept.push(id);
    expect(kept).toEqual(ids.slice(1));
  });

  describe('over a restart', () => {
    const secret = { new_password: 'correct horse' };

    it('goes on behind the stages that were completed, with what was asked for, and never costs the log an opening', async () => {
      const { session } = await refusal(secret);
      await refusal({ auth: stage(TOKEN, session, false) });
      expect(store.facts).toHaveLength(0);
      await refusal({ auth: stage(TOKEN, session) });
      expect(store.facts).toHaveLength(1);
      expect(JSON.stringify(store.facts)).not.toMatch(/correct horse|alice|POST/);
      expect(JSON.stringify(store.facts)).not.toContain(session);
      restart();
      expect(await refusal({ auth: { session: session as string } })).toMatchObject({ session, completed: [TOKEN] });
      const changed = auth.authorise(operation, { new_password: 'other', auth: stage(DUMMY, session) });
      await expect(changed).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
      const other = { ...operation, userId: '@eve:example.org' as UserId };
      await expect(auth.authorise(other, { auth: stage(DUMMY, session) })).rejects.toMatchObject({
        errcode: 'M_FORBIDDEN',
      });
      expect((await auth.authorise(operation, { auth: stage(DUMMY, session) })).body).toEqual(secret);
    });

    it('does its work once, also where two processes want to', async () => {
      const { session } = await refusal(secret);
      await refusal({ auth: stage(TOKEN, session) });
      const mine = await auth.authorise(operation, { auth: stage(DUMMY, session) });
      const before = auth;
      restart();
      const theirs = await auth.authorise(operation, { auth: stage(DUMMY, session) });
      await auth.doAndClose(theirs, async () => undefined);
      await expect(before.doAndClose(mine, async () => 'again')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
      expect(await refusal({ auth: stage(DUMMY, session) })).toMatchObject({ completed: [] });
    });

    it('hears of what another process has gone on with', async () => {
      const { session } = await refusal({});
      await refusal({ auth: stage(TOKEN, session) });
      const mine = auth;
      restart();
      await auth.completeElsewhere(await auth.getSession(String(session)), DUMMY);
      expect((await mine.authorise(operation, { auth: { session: session as string } })).completed).toEqual([
        TOKEN,
        DUMMY,
      ]);
    });

    it('ends after the same half hour, and nothing of it is in the log by then', async () => {
      const { session } = await refusal(secret);
      await refusal({ auth: stage(TOKEN, session) });
      restart();
      wall += 30 * 60 * 1000;
      expect(await refusal({ auth: stage(DUMMY, session) })).toMatchObject({ completed: [] });
      await new AuthNotes(store, clock).look();
      expect((await readStream(store)).map(({ type }) => type)).toEqual(['auth-notes-over']);
    });
  });
});
