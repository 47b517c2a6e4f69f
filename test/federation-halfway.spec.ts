import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import type { ForeignEvent } from './support/federation/foreign-events.js';
import { HostedRoom } from './support/federation/hosted-room.js';
import { HostileServer } from './support/federation/hostile-server.js';
import { Member } from './support/federation/member.js';
import { passwordOf, WITHOUT_PRESENCE } from './support/homeserver.js';

const authority = new TestAuthority();
let server: FederatingAnnals;
let host: HostileServer;
let alice: Member;
let rooms = 0;

beforeAll(async () => {
  host = await HostileServer.start(authority);
  host.on('/_matrix/federation/v1/send/.*', () => ({ pdus: {} }));
  server = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE);
  alice = await Member.at(server, 'alice');
});
afterAll(async () => {
  await host.stop();
  await server.remove();
});

const hosted = (joinRule?: string): HostedRoom => new HostedRoom(host, `room${rooms++}`, joinRule);

/** What Alice is told she is in a room. */
async function shown(roomId: string): Promise<string | undefined> {
  const { rooms: told = {} } = await alice.ok('GET', '/sync');
  return ['join', 'invite', 'knock', 'leave'].find((key) => told[key]?.[roomId] !== undefined);
}

const joining = (room: HostedRoom) => alice.request('POST', `/join/${encodeURIComponent(room.roomId)}`, {});
const leaving = (room: HostedRoom) => alice.request('POST', `/rooms/${encodeURIComponent(room.roomId)}/leave`, {});

/** Has the server killed once another one has taken what it is asked for, and has not answered; it answers from then on. */
async function killedMeanwhile(room: HostedRoom, ask: () => Promise<unknown>): Promise<void> {
  const answerSent = room.answerSent;
  const taken = new Promise<void>((resolve) => {
    room.answerSent = () => void resolve();
  });
  const asked = ask().catch(() => undefined);
  await taken;
  await server.end('SIGKILL');
  await asked;
  room.answerSent = answerSent;
  await server.start();
}

async function inviteAlice(room: HostedRoom, { id, pdu }: ForeignEvent = room.invite(alice.id)): Promise<void> {
  const path = `/_matrix/federation/v2/invite/${encodeURIComponent(room.roomId)}/${encodeURIComponent(id)}`;
  const invite = { event: pdu, room_version: '10', invite_room_state: [] };
  expect(await host.ask(server, 'PUT', path, invite)).toMatchObject({ status: 200 });
}

describe('a server that is killed after another has taken', () => {
  it('a join, and before the room is here, finishes it', async () => {
    const room = hosted();
    await killedMeanwhile(room, () => joining(room));
    await expect.poll(() => shown(room.roomId)).toBe('join');
    expect(room.membershipOf(alice.id)).toBe('join');
    expect(room.taken).toHaveLength(1);
    await alice.leave(room.roomId);
  });

  it('a join, whose room cannot be had, has the user leave there', async () => {
    const room = hosted();
    room.answerSent = (_, __, response) => void response.destroy();
    await killedMeanwhile(room, () => joining(room));
    await expect.poll(() => room.membershipOf(alice.id)).toBe('leave');
    expect(await shown(room.roomId)).toBeUndefined();
  });

  it('a knock shows it', async () => {
    const room = hosted('knock');
    await killedMeanwhile(room, () => alice.knock(room.roomId));
    await expect.poll(() => shown(room.roomId)).toBe('knock');
    await alice.leave(room.roomId);
    expect(room.membershipOf(alice.id)).toBe('leave');
  });

  it('that an invitation is turned down shows it no more', async () => {
    const room = hosted('invite');
    await inviteAlice(room);
    expect(await shown(room.roomId)).toBe('invite');
    await killedMeanwhile(room, () => leaving(room));
    await expect.poll(() => shown(room.roomId)).toBeUndefined();
    expect(room.membershipOf(alice.id)).toBe('leave');
  });

  it('an invitation has it in the room', async () => {
    const roomId = await alice.create('10', { preset: 'private_chat' });
    const mallory = `@mallory:${host.name}`;
    let isTaken = (): void => {};
    const taken = new Promise<void>((resolve) => (isTaken = resolve));
    let isAnswering = false;
    host.on('/_matrix/federation/v2/invite/.*', ({ body }) => {
      isTaken();
      return isAnswering ? { event: host.key.sign(body.event, host.name) } : undefined;
    });
    const asked = alice
      .request('POST', `/rooms/${encodeURIComponent(roomId)}/invite`, { user_id: mallory })
      .catch(() => undefined);
    await taken;
    await server.end('SIGKILL');
    await asked;
    isAnswering = true;
    await server.start();
    const membership = async () => (await alice.state(roomId))[`m.room.member|${mallory}`];
    await expect.poll(membership).toEqual(expect.any(String));
    expect(await alice.stateOf(roomId, 'm.room.member', mallory)).toMatchObject({ membership: 'invite' });
  });
});

describe('a join that another server has taken, and that failed here', () => {
  it('has the user leave there', async () => {
    const room = hosted();
    room.answerSent = (kind, answer) => (kind === 'join' ? { state: [], auth_chain: [] } : answer);
    expect((await joining(room)).status).toBe(502);
    await expect.poll(() => room.membershipOf(alice.id)).toBe('leave');
    expect(room.taken.map(({ pdu }) => pdu['content'])).toMatchObject([
      { membership: 'join' },
      { membership: 'leave' },
    ]);
  });

  it('can be left by the user as soon as that server can be reached', async () => {
    const room = hosted();
    room.answerSent = (kind, answer) => {
      if (kind === 'join') room.isAwake = false;
      return kind === 'join' ? [502, {}] : answer;
    };
    expect((await joining(room)).status).toBe(502);
    expect((await leaving(room)).status).toBe(502);
    expect(room.membershipOf(alice.id)).toBe('join');
    room.isAwake = true;
    // What looks after it now and then may have come first: then there is nothing left to leave.
    expect([200, 403]).toContain((await leaving(room)).status);
    expect(room.membershipOf(alice.id)).toBe('leave');
  });

  it('is none any more once the user tries again', async () => {
    const room = hosted();
    const answerSent = room.answerSent;
    room.answerSent = () => {
      room.isAwake = false;
      return [502, {}];
    };
    expect((await joining(room)).status).toBe(502);
    Object.assign(room, { answerSent, isAwake: true });
    // What looks after the first one may have found the server asleep a moment ago.
    await expect.poll(async () => (await joining(room)).status).toBe(200);
    expect(await shown(room.roomId)).toBe('join');
    expect(room.membershipOf(alice.id)).toBe('join');
    await alice.leave(room.roomId);
  });
});

describe('a user who closes their account', () => {
  it('turns down what other servers invited them to', async () => {
    const room = hosted('invite');
    const bob = await server.register('bob');
    const { id, pdu } = room.invite(bob.userId);
    const path = `/_matrix/federation/v2/invite/${encodeURIComponent(room.roomId)}/${encodeURIComponent(id)}`;
    await host.ask(server, 'PUT', path, { event: pdu, room_version: '10', invite_room_state: [] });
    const identifier = { type: 'm.id.user', user: bob.userId };
    const auth = { type: 'm.login.password', identifier, password: passwordOf('bob') };
    await bob.ok('POST', '/account/deactivate', { auth });
    await expect.poll(() => room.membershipOf(bob.userId)).toBe('leave');
  });
});

describe('a user who leaves while they are joining', () => {
  it('has left, here and there, once both are done', async () => {
    const room = hosted('invite');
    await inviteAlice(room);
    const answerSent = room.answerSent;
    let answer = (): void => {};
    const taken = new Promise<void>((resolve) => {
      room.answerSent = (_, told, response) => {
        room.answerSent = answerSent;
        answer = () => {
          response.writeHead(200, { 'content-type': 'application/json' });
          response.end(JSON.stringify(told));
        };
        resolve();
      };
    });
    const joined = joining(room);
    await taken;
    const left = leaving(room);
    answer();
    expect([(await joined).status, (await left).status]).toEqual([200, 200]);
    expect(await shown(room.roomId)).toBeUndefined();
    // It is told as any event is.
    expect(room.taken.at(-1)!.pdu['content']).toMatchObject({ membership: 'join' });
    await expect.poll(() => host.calls.some(({ body }) => isLeaveOf(body?.pdus, room.roomId))).toBe(true);
  });
});

function isLeaveOf(
  pdus: readonly { room_id: string; content: { membership?: string } }[] = [],
  roomId: string,
): boolean {
  return pdus.some((pdu) => pdu.room_id === roomId && pdu.content.membership === 'leave');
}
