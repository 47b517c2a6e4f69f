import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { expect } from 'vitest';
import { roomPath, type SyncApp, type SyncUser } from '#testing/sync-app';
import type { Life, Step } from './life.js';
import type { SlidConnection } from './look-at-sliding.js';
import { type Content, type ModelEvent, RoomModel, stateName } from './room-model.js';
import { type ModelReceipt, WorldModel } from './world-model.js';

let lives = 0;
let lastElsewhere: string | undefined;
/** How long somebody types, in milliseconds: longer than a life. */
const FAR = 120_000;
/** How long the room may take to hear of a name, in milliseconds. */
const PATIENCE = 30_000;

/** A room that lives on the server, and beside it what the model knows of it. */
export class LivingRoom {
  readonly world = new WorldModel();
  /** Connections of sliding sync, by user and kind. */
  readonly slid = new Map<string, SlidConnection>();
  /** How many facts of the room's stream the model has. */
  #read = 0;
  #transactions = 0;

  private constructor(
    readonly app: SyncApp,
    readonly users: readonly SyncUser[],
    readonly room: RoomModel,
    /** An event of another room. */
    readonly elsewhere: string | undefined,
  ) {
    this.world.rooms.set(room.roomId, room);
  }

  static async begin(app: SyncApp, { visibility, joinRule, version, users }: Life): Promise<LivingRoom> {
    const life = lives++;
    const people = await Promise.all(Array.from({ length: users }, (_, i) => app.register(`life${life}user${i}`)));
    const roomId = await people[0]!.createRoom({
      room_version: version,
      preset: 'private_chat',
      initial_state: [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: visibility } },
        { type: 'm.room.join_rules', state_key: '', content: { join_rule: joinRule } },
      ],
      power_level_content_override: { users_default: 50, invite: 0 },
    });
    const living = new LivingRoom(app, people, new RoomModel(roomId), lastElsewhere);
    await living.follow();
    lastElsewhere = living.room.events.at(-1)?.id;
    return living;
  }

  user(who: number): SyncUser {
    return this.users[who % this.users.length]!;
  }

  /** Reads what has reached the room's log: the truth that every answer is compared with. */
  async follow(): Promise<void> {
    const store = this.app.get<EventStore>(EVENT_STORE as never);
    for await (const fact of store.readStream(`room-${this.room.roomId}`, { from: this.#read })) {
      this.#read = fact.revision + 1;
      if (fact.type !== 'pdu-accepted') continue;
      const { event_id: id, pdu } = JSON.parse(fact.data) as { event_id: string; pdu: Content };
      this.room.add(eventOf(id, pdu));
    }
    // Who has left types no more, also where they come back.
    const typing = this.world.typing.get(this.room.roomId);
    for (const userId of typing ?? []) if (this.room.membership(userId) !== 'join') typing!.delete(userId);
  }

  /** Does one thing and notes what it changed. What the server refuses has not happened. */
  async live(step: Exclude<Step, { do: 'look' }>): Promise<void> {
    const { world, room } = this;
    const user = this.user(step.who);
    if (world.gone.has(user.userId)) return;
    const path = roomPath(room.roomId);
    const whom = 'whom' in step ? this.user(step.whom).userId : '';
    const target = 'event' in step ? room.events[Math.max(0, room.length - 1 - step.event)]! : undefined;
    const txn = this.#transactions++;
    switch (step.do) {
      case 'join':
        await user.call('POST', `/join/${encodeURIComponent(room.roomId)}`, {});
        break;
      case 'leave':
        await user.call('POST', `${path}/leave`, { reason: `goes ${txn}` });
        break;
      case 'knock':
        await user.call('POST', `/knock/${encodeURIComponent(room.roomId)}`, { reason: `knocks ${txn}` });
        break;
      case 'invite':
      case 'kick':
      case 'ban':
      case 'unban':
        await user.call('POST', `${path}/${step.do}`, { user_id: whom, reason: `because ${txn}` });
        break;
      case 'forget':
        await this.#forget(user);
        break;
      case 'visibility':
        await this.#setState(user, 'm.room.history_visibility', { history_visibility: step.value });
        break;
      case 'join rule':
        await this.#setState(user, 'm.room.join_rules', { join_rule: step.value });
        break;
      case 'topic':
      case 'name':
        await this.#setState(user, `m.room.${step.do}`, { [step.do]: `${step.do} ${txn}` });
        break;
      case 'say':
        await user.call('PUT', `${path}/send/m.room.message/${txn}`, { msgtype: 'm.text', body: `says ${txn}` });
        break;
      case 'rename':
        await this.#rename(user, `name ${txn}`);
        break;
      case 'redact':
        await user.call('PUT', `${path}/redact/${encodeURIComponent(target!.id)}/${txn}`, { reason: `hides ${txn}` });
        break;
      case 'react':
        await user.call('PUT', `${path}/send/m.reaction/${txn}`, {
          'm.relates_to': { rel_type: 'm.annotation', event_id: target!.id, key: `key ${txn}` },
        });
        break;
      case 'edit':
        await user.call('PUT', `${path}/send/m.room.message/${txn}`, {
          msgtype: 'm.text',
          body: `* rephrases ${txn}`,
          'm.new_content': { msgtype: 'm.text', body: `rephrases ${txn}` },
          'm.relates_to': { rel_type: 'm.replace', event_id: this.#messageFor(user, step.event).id },
        });
        break;
      case 'answer in thread':
        await user.call('PUT', `${path}/send/m.room.message/${txn}`, {
          msgtype: 'm.text',
          body: `answers ${txn}`,
          'm.relates_to': { rel_type: 'm.thread', event_id: target!.id },
        });
        break;
      case 'read':
      case 'read privately':
        await this.#markRead(user, step.do === 'read' ? 'm.read' : 'm.read.private', target!);
        break;
      case 'ignore':
      case 'heed':
        await this.#setIgnored(user, whom, step.do === 'ignore');
        break;
      case 'type':
      case 'stop typing':
        await this.#type(user, step.do === 'type');
        break;
      case 'deactivate':
        await this.#deactivate(user, step.erase);
        break;
    }
    await this.follow();
  }

  /** One of the last messages, or of the user's own; the last event where there is none. */
  #messageFor({ userId }: SyncUser, number: number): ModelEvent {
    const messages = this.room.events.filter(({ type, sender }) => {
      return type === 'm.room.message' && (number % 3 === 0 || sender === userId);
    });
    return messages[messages.length - 1 - (number % 4)] ?? messages.at(-1) ?? this.room.events.at(-1)!;
  }

  async #setState(user: SyncUser, type: string, content: Content): Promise<void> {
    await user.call('PUT', `${roomPath(this.room.roomId)}/state/${type}`, content);
  }

  /** Takes another name and waits until the room has been told: that follows from the change, in a time of its own. */
  async #rename(user: SyncUser, displayname: string): Promise<void> {
    await user.ok('PUT', `/profile/${encodeURIComponent(user.userId)}/displayname`, { displayname });
    const isTold = (): boolean => {
      const member = this.room.stateAfter(this.room.length - 1).get(stateName('m.room.member', user.userId));
      return member?.content['membership'] !== 'join' || member.content['displayname'] === displayname;
    };
    const deadline = Date.now() + PATIENCE;
    for (await this.follow(); !isTold(); await this.follow()) {
      if (Date.now() > deadline) throw new Error(`the room never hears of ${displayname}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #forget(user: SyncUser): Promise<void> {
    const { status } = await user.call('POST', `${roomPath(this.room.roomId)}/forget`, {});
    if (status !== 200 || !this.room.events.some((event) => event.stateKey === user.userId)) return;
    const rooms = this.world.forgotten.get(user.userId) ?? new Map<string, number>();
    this.world.forgotten.set(user.userId, rooms.set(this.room.roomId, this.room.length));
  }

  async #setIgnored(user: SyncUser, whom: string, isIgnored: boolean): Promise<void> {
    const ignored = new Set(this.world.ignored.get(user.userId));
    if (isIgnored) ignored.add(whom);
    else ignored.delete(whom);
    const content = { ignored_users: Object.fromEntries([...ignored].map((userId) => [userId, {}])) };
    await user.ok('PUT', `/user/${encodeURIComponent(user.userId)}/account_data/m.ignored_user_list`, content);
    this.world.ignored.set(user.userId, ignored);
  }

  async #type(user: SyncUser, isTyping: boolean): Promise<void> {
    const path = `${roomPath(this.room.roomId)}/typing/${encodeURIComponent(user.userId)}`;
    const { status } = await user.call('PUT', path, { typing: isTyping, timeout: FAR });
    if (status !== 200) return;
    this.world.turn++;
    const typing = this.world.typing.get(this.room.roomId) ?? new Set();
    this.world.typing.set(this.room.roomId, typing);
    if (isTyping) typing.add(user.userId);
    else typing.delete(user.userId);
  }

  /** Ends an account. The room is left beforehand: what the server does about it by itself comes at a time of its own. */
  async #deactivate(user: SyncUser, erase: boolean): Promise<void> {
    await user.call('POST', `${roomPath(this.room.roomId)}/leave`, {});
    await this.follow();
    await user.close({ erase });
    this.world.gone.add(user.userId);
    if (!erase) return;
    this.world.erased.set(user.userId, this.world.lengths());
    // What they had read goes with them.
    await expect.poll(() => this.app.views.effects.list().every(({ waiting }) => waiting === 0)).toBe(true);
    for (const receipts of this.world.receipts.values()) {
      for (const [key, { userId }] of receipts) if (userId === user.userId) receipts.delete(key);
    }
  }

  /** A receipt only ever moves forward. */
  async #markRead(user: SyncUser, type: string, target: ModelEvent): Promise<void> {
    const path = `${roomPath(this.room.roomId)}/receipt/${type}/${encodeURIComponent(target.id)}`;
    const { status } = await user.call('POST', path, {});
    if (status !== 200) return;
    const receipts = this.world.receipts.get(this.room.roomId) ?? new Map<string, ModelReceipt>();
    this.world.receipts.set(this.room.roomId, receipts);
    const key = `${type} ${user.userId}`;
    const last = receipts.get(key);
    if (last !== undefined && this.room.find(last.eventId)!.index >= target.index) return;
    receipts.set(key, {
      userId: user.userId,
      type,
      eventId: target.id,
      turn: ++this.world.turn,
      length: this.room.length,
    });
  }

  /** Lets a user come by a token. */
  async keepToken(who: number): Promise<void> {
    const user = this.user(who);
    if (this.world.gone.has(user.userId)) return;
    const { next_batch: token } = await user.sync({ filter: { room: { rooms: [] } } });
    this.keep(user.userId, token);
  }

  /** Notes a token that a user was given just now. */
  keep(userId: string, token: string): void {
    const kept = this.world.tokens.get(userId) ?? [];
    this.world.tokens.set(userId, kept);
    kept.push({ token, lengths: this.world.lengths(), turn: this.world.turn });
  }
}

function eventOf(id: string, pdu: Content): Omit<ModelEvent, 'index'> {
  const content = pdu['content'] as Content;
  const redacts = pdu['type'] === 'm.room.redaction' ? content['redacts'] : undefined;
  return {
    id,
    type: String(pdu['type']),
    sender: String(pdu['sender']),
    stateKey: typeof pdu['state_key'] === 'string' ? pdu['state_key'] : undefined,
    content,
    time: Number(pdu['origin_server_ts']),
    redacts: typeof redacts === 'string' ? redacts : undefined,
  };
}
