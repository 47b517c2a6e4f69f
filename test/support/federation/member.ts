import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { type Answer, Client, passwordOf } from '../homeserver.js';
import { path as pathIn } from '../three-users.js';
import { Followed } from './followed.js';
import type { Federating } from './other-server.js';

type Body = Answer['body'];

/** What a message, or another event, says. */
export type Content = Readonly<Record<string, unknown>>;

/** The state of a room: the id of the event at each type and state key, in the order of those. */
export type StateDictionary = Readonly<Record<string, string>>;

/** A user of a server of any make, in rooms that are shared with other servers. */
export class Member {
  /** What /sync tells, since this user was made. */
  readonly followed: Followed;
  #transactions = 0;

  private constructor(
    readonly server: Federating,
    private readonly client: Client,
  ) {
    this.followed = new Followed(client);
  }

  static async at(server: Federating, username: string): Promise<Member> {
    return new Member(server, await server.register(username));
  }

  /** The same user on another device, which is logged in by this. */
  async anotherDevice(name: string): Promise<Member> {
    const user = this.id.slice(1, this.id.indexOf(':'));
    const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: passwordOf(user) };
    const body = { ...login, initial_device_display_name: name };
    const { access_token, device_id } = await this.client.ok('POST', '/login', body);
    return new Member(this.server, new Client(this.server, this.id, access_token, device_id));
  }

  get token(): string {
    return this.client.token;
  }

  get deviceId(): string {
    return this.client.deviceId;
  }

  get id(): string {
    return this.client.userId;
  }

  ok(method: string, path: string, body?: unknown): Promise<Body> {
    return this.client.ok(method, path, body);
  }

  request(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.client.request(method, path, body);
  }

  /** A room, public unless told otherwise. */
  create(version: string, options: object = {}): Promise<string> {
    return this.client.createRoom({ room_version: version, preset: 'public_chat', ...options });
  }

  /** Joins by id or alias, with the help of other members' servers. */
  async join(room: string, ...via: readonly Member[]): Promise<string> {
    return (await this.ok('POST', `/join/${encodeURIComponent(room)}?${viaOf(via)}`, {})).room_id;
  }

  async knock(room: string, ...via: readonly Member[]): Promise<string> {
    return (await this.ok('POST', `/knock/${encodeURIComponent(room)}?${viaOf(via)}`, {})).room_id;
  }

  invite(room: string, other: Member): Promise<Body> {
    return this.#change(room, 'invite', other);
  }

  kick(room: string, other: Member): Promise<Body> {
    return this.#change(room, 'kick', other);
  }

  ban(room: string, other: Member): Promise<Body> {
    return this.#change(room, 'ban', other);
  }

  unban(room: string, other: Member): Promise<Body> {
    return this.#change(room, 'unban', other);
  }

  leave(room: string): Promise<Body> {
    return this.ok('POST', pathIn(room, 'leave'), {});
  }

  /** Sends an event; answers its id. */
  async send(room: string, type: string, content: Content): Promise<string> {
    return (await this.ok('PUT', pathIn(room, 'send', type, `t${this.#transactions++}`), content)).event_id;
  }

  say(room: string, body: string): Promise<string> {
    return this.send(room, 'm.room.message', { msgtype: 'm.text', body });
  }

  edit(room: string, eventId: string, body: string): Promise<string> {
    const edited = { msgtype: 'm.text', body };
    const relation = { rel_type: 'm.replace', event_id: eventId };
    return this.send(room, 'm.room.message', { ...edited, 'm.new_content': edited, 'm.relates_to': relation });
  }

  async redact(room: string, eventId: string): Promise<string> {
    return (await this.ok('PUT', pathIn(room, 'redact', eventId, `t${this.#transactions++}`), {})).event_id;
  }

  async setState(room: string, type: string, content: Content, stateKey = ''): Promise<string> {
    return (await this.ok('PUT', pathIn(room, 'state', type, stateKey), content)).event_id;
  }

  stateOf(room: string, type: string, stateKey = ''): Promise<Body> {
    return this.ok('GET', pathIn(room, 'state', type, stateKey));
  }

  /** Gives a user a power level. */
  async setPower(room: string, other: Member, level: number): Promise<string> {
    const levels = await this.stateOf(room, 'm.room.power_levels');
    return this.setState(room, 'm.room.power_levels', { ...levels, users: { ...levels.users, [other.id]: level } });
  }

  /** Sends a message to all devices of somebody. */
  async toDevice(other: Member, type: string, content: Content): Promise<void> {
    const txn = `t${this.#transactions++}`;
    await this.ok('PUT', `/sendToDevice/${type}/${txn}`, { messages: { [other.id]: { '*': content } } });
  }

  /** Uploads keys of this device, with one to be claimed: nobody checks what signs them. */
  async uploadKeys(): Promise<void> {
    const key = randomBytes(32).toString('base64').replaceAll('=', '');
    const signatures = { [this.id]: { [`ed25519:${this.deviceId}`]: randomBytes(64).toString('base64').slice(0, 86) } };
    const keys = { [`curve25519:${this.deviceId}`]: key, [`ed25519:${this.deviceId}`]: key };
    const algorithms = ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'];
    await this.ok('POST', '/keys/upload', {
      device_keys: { user_id: this.id, device_id: this.deviceId, algorithms, keys, signatures },
      one_time_keys: { 'signed_curve25519:AAAA': { key, signatures } },
    });
  }

  event(room: string, eventId: string): Promise<Body> {
    return this.ok('GET', pathIn(room, 'event', eventId));
  }

  /** All that the room says of its state now. */
  async state(room: string): Promise<StateDictionary> {
    const events: Body[] = await this.ok('GET', pathIn(room, 'state'));
    const entries = events.map((event): [string, string] => [`${event.type}|${event.state_key}`, event.event_id]);
    return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  }

  /** All that can be paged back to from now, the latest first. */
  async history(room: string, limit = 20): Promise<Body[]> {
    const events: Body[] = [];
    for (let from = ''; ;) {
      const page = await this.ok('GET', `${pathIn(room, 'messages')}?dir=b&limit=${limit}${from}`);
      events.push(...page.chunk);
      if (page.end === undefined || page.chunk.length === 0) return events;
      from = `&from=${encodeURIComponent(page.end)}`;
    }
  }

  /** The ids of the messages of that history. */
  async messages(room: string): Promise<string[]> {
    const events = await this.history(room, 100);
    return events.flatMap(({ type, event_id }) => (type === 'm.room.message' ? [event_id as string] : []));
  }

  #change(room: string, how: string, other: Member): Promise<Body> {
    return this.ok('POST', pathIn(room, how), { user_id: other.id });
  }
}

/** Waits until members of a room are told the same state of it; answers that. */
export async function awaitSameState(
  room: string,
  first: Member,
  ...others: readonly Member[]
): Promise<StateDictionary> {
  let state: StateDictionary = {};
  const differing = async (): Promise<string[][]> => {
    state = await first.state(room);
    return Promise.all(others.map(async (other) => differences(state, await other.state(room))));
  };
  await expect.poll(differing).toEqual(others.map(() => []));
  return state;
}

function differences(one: StateDictionary, other: StateDictionary): string[] {
  const places = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...places].filter((place) => one[place] !== other[place]);
}

/** Today's name of the parameter, and that of before. */
function viaOf(members: readonly Member[]): URLSearchParams {
  return new URLSearchParams(
    members.flatMap(({ server: { name } }): [string, string][] => [
      ['via', name],
      ['server_name', name],
    ]),
  );
}
