import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { UserId } from '#kernel/ids';
import { Badges } from '#sync/unread/badges';
import { numbersFrom } from '#testing/numbers-from';
import { GATEWAY_AUTHORITY, PushGateway, pusherAt } from '#testing/push-gateway';
import { SlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { ExpiredEvents } from '../retention/expired-events.js';

/**
 * A plain model of what is unread for Alice, computed from scratch of all that ever happened, and random things that happen, as time goes by: whatever was
 * followed or is counted anew, by this process or the next, with the views it has or others made of the log, all that tell her how much is
 * unread must say what the model says: /sync, the whole and what is new of it, sliding sync, the list of notifications, the badge and the push gateway. `ANNALS_STEPS`, `ANNALS_SEEDS` and
 * `ANNALS_SEED` for a long look, and for others.
 */
interface Said {
  readonly id: string;
  readonly sender: SyncUser;
  readonly thread: string;
  readonly kind: 'message' | 'mention' | 'word' | 'silent';
  /** A thread may begin at it. */
  readonly isPlain: boolean;
  readonly at: number;
  /** Redacted, or erased because of its age. */
  isGone: boolean;
}

/** Something that Alice did by which all before it is read, of the room or of a thread. */
interface Read {
  /** Before which of what was said. */
  readonly upTo: number;
  readonly thread: string | undefined;
}

interface Counts {
  readonly notifications: number;
  readonly highlights: number;
}

const ROOMS = 2;
const STEPS = Number(process.env['ANNALS_STEPS'] ?? 50);
const SEEDS = Number(process.env['ANNALS_SEEDS'] ?? 2);
const FIRST_SEED = Number(process.env['ANNALS_SEED'] ?? 1);
const MAIN = 'main';
const MUTED = { actions: [] };
const WORD = { pattern: 'ahoy', actions: ['notify', { set_tweak: 'highlight' }] };

class ModelRoom {
  readonly said: Said[] = [];
  reads: Read[] = [];
  isMuted = false;
  /** For how long it keeps messages, in milliseconds. */
  lifetime = Infinity;

  constructor(readonly id: string) {}

  isOver({ at, isGone }: Said): boolean {
    return isGone || at <= Date.now() - this.lifetime;
  }

  /** What is unread, by thread. */
  count(ignored: SyncUser | undefined, hearsWord: boolean, reader: SyncUser): Map<string, Counts> {
    const counts = new Map<string, Counts>();
    for (const [i, said] of this.said.entries()) {
      const { sender, thread, kind } = said;
      if (sender === reader || sender === ignored || this.isOver(said) || kind === 'silent') continue;
      const highlight = kind === 'mention' || (kind === 'word' && hearsWord);
      if (this.isMuted && !highlight) continue;
      if (this.reads.some((read) => i < read.upTo && (read.thread ?? thread) === thread)) continue;
      const { notifications = 0, highlights = 0 } = counts.get(thread) ?? {};
      counts.set(thread, { notifications: notifications + 1, highlights: highlights + Number(highlight) });
    }
    return counts;
  }
}

const totalOf = (counts: ReadonlyMap<string, Counts>): Counts => {
  const all = [...counts.values()];
  const sum = (of: (one: Counts) => number): number => all.reduce((total, one) => total + of(one), 0);
  return { notifications: sum((one) => one.notifications), highlights: sum((one) => one.highlights) };
};

let directory: string;
let app: SyncApp;
let gateway: PushGateway;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'annals-counts-'));
  const authority = join(directory, 'authority.pem');
  writeFileSync(authority, GATEWAY_AUTHORITY.certificate);
  app = await SyncApp.start(undefined, {
    ANNALS_TLS_CA: authority,
    ANNALS_PUSH_PRIVATE_GATEWAYS: '127.0.0.1',
    ANNALS_RETENTION: 'on',
  });
});
afterAll(async () => {
  await app.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  // Time goes by at a word, and a little by itself.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  gateway = await PushGateway.start();
  return () => {
    vi.useRealTimers();
    return gateway.close();
  };
});

class Life {
  readonly next: (below: number) => number;
  readonly rooms: ModelRoom[] = [];
  readonly invited = new Set<string>();
  #ignored: SyncUser | undefined;
  #hearsWord = false;
  #steps = 0;
  /** What the gateway was told is known to the process that told it; so whether it is to be told another number. */
  #isToldNumbers = true;
  /** What happened, for who looks at a failure. */
  readonly told: string[] = [];

  readonly #sliding: SlidingClient;
  /** By room, as a client of sliding sync has it that goes on. */
  readonly #slid = new Map<string, Counts>();
  #since: string | undefined;
  /** By room and thread, as a client has it that asks for what is new, and wants no receipts. */
  readonly #followed = new Map<string, Record<string, Counts>>();

  private constructor(
    seed: number,
    readonly alice: SyncUser,
    readonly bob: SyncUser,
    readonly carol: SyncUser,
  ) {
    this.next = numbersFrom(seed);
    this.#sliding = new SlidingClient(alice);
  }

  static async begin(seed: number): Promise<Life> {
    const [alice, bob, carol] = await Promise.all(
      ['alice', 'bob', 'carol'].map((name) => app.register(`${name}${seed}`)),
    );
    const life = new Life(seed, alice!, bob!, carol!);
    await app.get(ExpiredEvents).look();
    for (let n = 0; n < ROOMS; n++) {
      const room = new ModelRoom(await bob!.createRoom({ preset: 'public_chat' }));
      await alice!.join(room.id);
      await carol!.join(room.id);
      life.rooms.push(room);
      await life.#keep(room);
    }
    await alice!.ok('POST', '/pushers/set', pusherAt(gateway.url, { pushkey: `key of ${seed}` }));
    return life;
  }

  async step(): Promise<void> {
    const { next } = this;
    this.#steps++;
    vi.setSystemTime(Date.now() + 1);
    const room = this.rooms[next(ROOMS)]!;
    switch (next(19)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return this.#say(room, next(2) === 0 ? this.bob : this.carol);
      case 5:
        return this.#say(room, this.alice);
      case 6:
      case 7:
      case 8:
        return this.#redact(room);
      case 9:
      case 10:
        return this.#read(room);
      case 11:
        return this.#ignore();
      case 12:
        return this.#setRule(room);
      case 13:
        return this.#comeAgain(room);
      case 14:
        return this.#invite();
      case 15:
      case 16:
        return this.#wait();
      case 17:
        return this.#keep(room);
      default:
        return this.#begin();
    }
  }

  async #say(room: ModelRoom, sender: SyncUser, as?: Said['kind']): Promise<void> {
    const { next } = this;
    const about = room.said.length === 0 ? undefined : room.said[next(room.said.length)];
    const kind = as ?? (['message', 'message', 'mention', 'word', 'silent'] as const)[next(5)]!;
    const how =
      about === undefined || room.isOver(about) ? 'plain' : (['plain', 'thread', 'reference'] as const)[next(3)]!;
    const isRootless = about?.thread === MAIN && !about.isPlain;
    if (how === 'thread' && isRootless) return;
    const root = about?.thread === MAIN ? about.id : about?.thread;
    const relation = {
      plain: {},
      thread: { 'm.relates_to': { rel_type: 'm.thread', event_id: root } },
      reference: { 'm.relates_to': { rel_type: 'm.reference', event_id: about?.id } },
    }[how];
    const mentions = kind === 'mention' ? { 'm.mentions': { user_ids: [this.alice.userId] } } : {};
    const notice = kind === 'silent' ? { msgtype: 'm.notice' } : {};
    const thread = { plain: MAIN, thread: root!, reference: about?.thread ?? MAIN }[how];
    const text = kind === 'word' ? 'well, ahoy!' : 'hello';
    const id = await sender.send(room.id, text, { ...relation, ...mentions, ...notice });
    this.#note(`${this.nameOf(sender)} says ${id} (${kind}, ${how} ${about?.id ?? ''}) in ${room.id}`);
    if (sender === this.alice) this.#noteRead(room, { upTo: room.said.length, thread });
    room.said.push({ id, sender, thread, kind, isPlain: how === 'plain', at: Date.now(), isGone: false });
  }

  async #redact(room: ModelRoom): Promise<void> {
    const said = room.said[room.said.length - 1 - this.next(Math.min(8, room.said.length || 1))];
    if (said === undefined || room.isOver(said)) return;
    const by = said.sender;
    await by.ok('PUT', `${roomPath(room.id)}/redact/${encodeURIComponent(said.id)}/redact${this.#steps}`, {});
    said.isGone = true;
    this.#note(`${this.nameOf(by)} redacts ${said.id}`);
    if (by === this.alice) room.reads.push({ upTo: room.said.length, thread: MAIN });
  }

  async #read(room: ModelRoom): Promise<void> {
    const { next } = this;
    if (room.said.length === 0) return;
    const at = next(room.said.length);
    const { id, thread } = room.said[at]!;
    if (room.isOver(room.said[at]!)) return;
    const type = next(3) === 0 ? 'm.read.private' : 'm.read';
    const ofThread = next(2) === 0 ? thread : undefined;
    const body = ofThread === undefined ? {} : { thread_id: ofThread };
    await this.alice.ok('POST', `${roomPath(room.id)}/receipt/${type}/${encodeURIComponent(id)}`, body);
    this.#note(`Alice has read ${id} (${type} ${ofThread ?? 'all'})`);
    this.#noteRead(room, { upTo: at + 1, thread: ofThread });
  }

  #noteRead(room: ModelRoom, read: Read): void {
    room.reads.push(read);
    this.#isToldNumbers = true;
  }

  async #ignore(): Promise<void> {
    this.#ignored = this.#ignored === undefined ? this.carol : undefined;
    const ignored = this.#ignored === undefined ? {} : { [this.#ignored.userId]: {} };
    const path = `/user/${this.alice.userId}/account_data/m.ignored_user_list`;
    await this.alice.ok('PUT', path, { ignored_users: ignored });
    this.#note(`Alice ignores ${JSON.stringify(ignored)}`);
  }

  async #setRule(room: ModelRoom): Promise<void> {
    const { alice } = this;
    if (this.next(2) === 0) {
      this.#hearsWord = !this.#hearsWord;
      if (this.#hearsWord) await alice.ok('PUT', '/pushrules/global/content/word', WORD);
      else await alice.ok('DELETE', '/pushrules/global/content/word');
      this.#note(`Alice hears ahoy: ${this.#hearsWord}`);
      return;
    }
    room.isMuted = !room.isMuted;
    const path = `/pushrules/global/room/${encodeURIComponent(room.id)}`;
    if (room.isMuted) await alice.ok('PUT', path, MUTED);
    else await alice.ok('DELETE', path);
    this.#note(`Alice mutes ${room.id}: ${room.isMuted}`);
  }

  async #comeAgain(room: ModelRoom): Promise<void> {
    if (this.next(2) === 0) return;
    await this.alice.leave(room.id);
    await this.bob.send(room.id, 'behind her back');
    await this.alice.join(room.id);
    this.#note(`Alice comes again to ${room.id}`);
    room.reads.push({ upTo: room.said.length, thread: undefined });
  }

  async #invite(): Promise<void> {
    const [one] = this.invited;
    if (one === undefined) this.invited.add(await this.bob.createRoom({ invite: [this.alice.userId] }));
    else {
      await this.alice.leave(one);
      this.invited.delete(one);
    }
    this.#note(`Alice is invited to ${this.invited.size}`);
  }

  /** Time goes by, and then something is said everywhere by which nobody is notified: whoever goes on hears with it of how much is unread by then. */
  async #wait(): Promise<void> {
    vi.setSystemTime(Date.now() + (1 + this.next(5)) * 40_000);
    this.#note(`it is ${Date.now()}`);
    for (const room of this.rooms) await this.#say(room, this.bob, 'silent');
  }

  async #keep(room: ModelRoom): Promise<void> {
    room.lifetime = [Infinity, 60_000, 150_000, 400_000][this.next(4)]!;
    const policy = room.lifetime === Infinity ? {} : { max_lifetime: room.lifetime };
    await this.bob.setState(room.id, 'm.room.retention', policy);
    this.#note(`${room.id} keeps messages for ${room.lifetime}`);
  }

  /** What is over is taken away. */
  async erase(): Promise<void> {
    await app.get(ExpiredEvents).look();
    for (const room of this.rooms) for (const said of room.said) said.isGone = room.isOver(said);
    this.#note('what is over is erased');
  }

  /** The next process, with the views as they are or with others. */
  async #begin(): Promise<void> {
    const isAnew = this.next(2) === 0;
    await app.settled();
    if (isAnew) rmSync(join(app.directory, 'views'), { recursive: true, force: true });
    await app.restart();
    this.#isToldNumbers = false;
    this.#note(`a start${isAnew ? ' with new views' : ''}`);
    await this.erase();
  }

  #note(what: string): void {
    this.told.push(`${this.#steps}: ${what}`);
  }

  nameOf(user: SyncUser): string {
    return user === this.alice ? 'Alice' : user === this.bob ? 'Bob' : 'Carol';
  }

  expected(): Map<string, Map<string, Counts>> {
    return new Map(
      this.rooms.map((room) => [room.id, room.count(this.#ignored, this.#hearsWord, this.alice)] as const),
    );
  }

  /** All that tell how much is unread say what the model says. */
  async compare(): Promise<void> {
    await app.settled();
    const { alice } = this;
    const model = this.expected();
    const plain = Object.fromEntries([...model].map(([id, counts]) => [id, Object.fromEntries(counts)]));
    const totals = Object.fromEntries([...model].map(([id, counts]) => [id, totalOf(counts)]));
    const all = [...model.values()].reduce((sum, counts) => sum + totalOf(counts).notifications, this.invited.size);
    const filter = {
      room: { timeline: { limit: 3, unread_thread_notifications: true }, ephemeral: { not_types: ['m.receipt'] } },
    };
    const whole = byThread((await alice.sync({ filter })).rooms.join);
    const fresh = await alice.sync({ filter, ...(this.#since === undefined ? {} : { since: this.#since }) });
    this.#since = fresh.next_batch;
    for (const [id, counts] of Object.entries(byThread(fresh.rooms?.join ?? {}))) this.#followed.set(id, counts);
    const { rooms: slid } = await this.#sliding.next({
      lists: { all: { ranges: [[0, 99]], timeline_limit: 3, required_state: [] } },
    });
    for (const [id, { notification_count: notifications, highlight_count: highlights }] of Object.entries<ToldCount>(
      slid,
    ))
      this.#slid.set(id, { notifications, highlights });
    const { notifications } = await alice.ok('GET', '/notifications?limit=100');
    const listed = (notifications as { read: boolean }[]).filter(({ read }) => !read).length;
    const badge = (await app.get(Badges).read(alice.userId as UserId)).unread;
    const answer = {
      whole: Object.fromEntries(this.rooms.map(({ id }) => [id, whole[id]])),
      news: Object.fromEntries(this.rooms.map(({ id }) => [id, this.#followed.get(id)])),
      slid: Object.fromEntries(this.rooms.map(({ id }) => [id, this.#slid.get(id)])),
      listed,
      badge,
    };
    const story = this.told.join('\n');
    expect(answer, story).toEqual({ whole: plain, news: plain, slid: totals, listed: all, badge: all });
  }

  /** What the gateway was told last, once it was told all. */
  async compareGateway(): Promise<void> {
    if (!this.#isToldNumbers) await this.#say(this.rooms[0]!, this.alice);
    const model = this.expected();
    const total = [...model.values()].reduce((sum, counts) => sum + totalOf(counts).notifications, this.invited.size);
    await expect.poll(() => gateway.unread ?? 0, { message: this.told.join('\n') }).toBe(total);
  }
}

interface ToldCount {
  readonly notification_count: number;
  readonly highlight_count: number;
}

/** What /sync says of rooms, by thread; without those of which nothing is unread. */
function byThread(
  rooms: Record<string, { unread_notifications: ToldCount; unread_thread_notifications?: Record<string, ToldCount> }>,
): Record<string, Record<string, Counts>> {
  const entries = Object.entries(rooms).map(
    ([id, { unread_notifications: main, unread_thread_notifications: all }]) => {
      const counts = Object.entries({ [MAIN]: main, ...all })
        .filter(([, { notification_count: count }]) => count > 0)
        .map(([thread, one]) => [thread, { notifications: one.notification_count, highlights: one.highlight_count }]);
      return [id, Object.fromEntries(counts)];
    },
  );
  return Object.fromEntries(entries);
}

describe('what is unread', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i))(
    'is as many, whoever tells it, whatever happened before (%i)',
    { timeout: 120_000 },
    async (seed) => {
      const life = await Life.begin(seed);
      for (let step = 0; step < STEPS; step++) {
        await life.step();
        if (life.next(3) === 0) await life.compare();
      }
      await life.compare();
      await life.erase();
      await life.compareGateway();
    },
  );
});
