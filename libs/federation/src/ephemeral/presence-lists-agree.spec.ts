import fc from 'fast-check';
import { expect, it } from 'vitest';
import { accept, ask, decline, drop, evolveRelations, noteAccepted, noteAsked, noteDropped, noteRefused } from '#ephemeral/decide/decide-subscriptions'; // prettier-ignore
import { Relations } from '#ephemeral/decide/relations';
import { type SubscriptionFact, subscriptionsStream } from '#ephemeral/facts/subscription-facts';
import type { PresenceLists } from '#ephemeral/lists/presence-lists';
import { PRESENCE_SUBSCRIBERS, presenceListsProjector } from '#ephemeral/projections/presence-lists.projector';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts } from '#testing/project';
import type { Edu } from '../sending/edu-source.js';
import type { Outbox } from '../sending/outbox.js';
import { PresenceAcceptHandler, PresenceDenyHandler, PresenceDropHandler, PresenceInviteHandler, TellPresenceLists } from './presence-list-handlers.js'; // prettier-ignore
import { PresenceListSource } from './presence-list-source.js';

const NOTES = { asked: noteAsked, accepted: noteAccepted, refused: noteRefused, dropped: noteDropped } as const;

/** What is sent at once, and comes again as it was until it is known that the other server has it: all that is told of the facts before one. */
interface Sent {
  readonly edus: readonly Edu[];
  readonly upTo: number;
}

/** One of two users and their server, with all of it but the log and the views in memory. */
class Side {
  readonly #server: ServerName;
  readonly #said: SubscriptionFact[] = [];
  #views = new MemoryReadModels();
  #now = Relations.none;
  /** So many of the facts are noted as told. */
  #noted = 0;
  /** What waits to be sent: made of so many of the facts, of each as things stood when it was looked at. */
  #queue: Edu[] = [];
  #queuedOf = 0;
  #sent: Sent | undefined;
  /** Nothing in the log says it: where it is lost who asked waits, and that is left out here. */
  readonly #losable: Edu[] = [];
  #losableSent = 0;
  /** Who asks finds nobody here, or no room. */
  isFull = false;

  constructor(
    readonly user: UserId,
    readonly other: UserId,
  ) {
    this.#server = serverNameOf(user);
  }

  askOrDrop(clock: number): Promise<void> {
    const isListed = this.relation.listed !== undefined;
    return this.#take((isListed ? drop : ask)(this.#now, this.other, clock));
  }

  answer(does: 'accept' | 'decline'): Promise<void> {
    if (this.relation.watches === undefined) return Promise.resolve();
    return this.#take(does === 'accept' ? accept(this.#now, this.other) : decline(this.#now, this.other));
  }

  get relation() {
    return this.#now.get(this.other) ?? {};
  }

  get hasToSend(): boolean {
    return this.#sent !== undefined || this.#noted < this.#said.length || this.#losable.length > 0;
  }

  /** Looks at the facts that there are by now, for what is to be told of them. */
  async queue(): Promise<void> {
    const source = this.#source();
    for (const fact of this.#facts().slice(this.#queuedOf)) this.#queue.push(...(await source.edusOf(fact)).map(({ edu }) => edu)); // prettier-ignore
    this.#queuedOf = this.#said.length;
  }

  /** What is under way; else all that waits. Of who was away it is known where that began: they are told how things stand now, and the last so many of what waits. */
  async transaction(lastWaiting?: number): Promise<readonly Edu[]> {
    if (this.#sent !== undefined) return this.#sent.edus;
    await this.queue();
    const missed = lastWaiting === undefined ? [] : await this.#missed();
    if (lastWaiting !== undefined) this.#queue.splice(0, this.#queue.length - lastWaiting);
    this.#losableSent = this.#losable.length;
    this.#sent = { edus: [...missed, ...this.#queue.splice(0), ...this.#losable], upTo: this.#queuedOf };
    return this.#sent.edus;
  }

  /** The other server has said that it has it. */
  isAnswered(): void {
    this.#noted = this.#sent!.upTo;
    this.#losable.splice(0, this.#losableSent);
    this.#sent = undefined;
  }

  /** The process ends: what was under way is made anew, of what is in the log. */
  forgetSent(from = this.#noted): void {
    this.#noted = this.#queuedOf = from;
    this.#queue = [];
    this.#sent = undefined;
  }

  async rebuildViews(): Promise<void> {
    this.#views = new MemoryReadModels();
    await applyFacts(presenceListsProjector, this.#facts(), this.#views);
  }

  async hear(edus: readonly Edu[]): Promise<void> {
    const lists = { note: (_: UserId, { what, ask: id }: { what: keyof typeof NOTES; ask?: number }) => this.#note(what, id) }; // prettier-ignore
    const outbox: Pick<Outbox, 'sendEdu'> = { sendEdu: (_, edu) => void this.#losable.push(edu) };
    const teller = new TellPresenceLists(lists as unknown as PresenceLists, outbox as Outbox, {
      serverName: this.#server,
    });
    const handlers = [PresenceInviteHandler, PresenceAcceptHandler, PresenceDenyHandler, PresenceDropHandler].map((Handler) => new Handler(teller)); // prettier-ignore
    for (const { edu_type: type, content } of edus)
      await handlers.find((handler) => handler.type === type)!.receive(serverNameOf(this.other), content);
  }

  /** Whether one may follow the other, as this server has it. */
  follows(observer: UserId, observed: UserId): Promise<boolean> {
    return PRESENCE_SUBSCRIBERS.has(this.#views as unknown as Views, [observed, observer]);
  }

  async #note(what: keyof typeof NOTES, id?: number): Promise<boolean> {
    if (this.isFull && what === 'asked' && this.relation.watches === undefined) return false;
    await this.#take(NOTES[what](this.#now, this.other, id));
    return true;
  }

  async #take(facts: readonly SubscriptionFact[]): Promise<void> {
    for (const { type, data } of facts) this.#now = evolveRelations(this.#now, { type, data: JSON.stringify(data) });
    this.#said.push(...facts);
    await applyFacts(presenceListsProjector, this.#facts().slice(this.#said.length - facts.length), this.#views);
  }

  #facts() {
    return recordFacts(this.#said.map((fact) => ({ stream: subscriptionsStream(this.user), ...fact })));
  }

  #source(): PresenceListSource {
    return new PresenceListSource(this.#views as unknown as Views, { serverName: this.#server });
  }

  async #missed(): Promise<Edu[]> {
    const first = this.#facts()[this.#noted];
    const edus: Edu[] = [];
    if (first === undefined) return edus;
    for await (const some of this.#source().missedBy(serverNameOf(this.other), first.position)) edus.push(...some);
    return edus;
  }
}

const asks = fc.record({
  does: fc.constant('ask or drop' as const),
  times: fc.integer({ min: 1, max: 4 }),
  clock: fc.nat(9),
  isQueued: fc.boolean(),
});
const sends = fc.record({
  does: fc.constant('send' as const),
  lastWaiting: fc.constantFrom<(number | undefined)[]>(undefined, undefined, 0, 3),
  isFull: fc.constantFrom(true, false, false, false),
  /** The other server ends behind so many of what it is sent. */
  taken: fc.constantFrom<number[]>(1, 2, 9),
  end: fc.constantFrom('is answered', 'comes again', 'sender ends'),
});
const answers = fc.record({ does: fc.constantFrom('accept' as const, 'accept' as const, 'decline' as const) });
const others = fc.record({ does: fc.constantFrom('rebuild' as const, 'settle' as const, 'settle' as const) });
const step = fc.tuple(fc.constantFrom(0, 1), fc.oneof(asks, sends, answers, others));

type Made<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Sending = Made<typeof sends>;
type Todo = Made<typeof step>[1];
type Sides = readonly [Side, Side];

async function go(sides: Sides, who: number, todo: Todo): Promise<void> {
  const [side, other] = [sides[who]!, sides[1 - who]!];
  switch (todo.does) {
    case 'ask or drop':
      for (let n = 0; n < todo.times; n++) {
        await side.askOrDrop(todo.clock);
        if (todo.isQueued) await side.queue();
      }
      return;
    case 'accept':
    case 'decline':
      return side.answer(todo.does);
    case 'send':
      return send(side, other, todo);
    case 'rebuild':
      return side.rebuildViews();
    default:
      await settle(sides);
  }
}

async function send(side: Side, other: Side, { lastWaiting, isFull, taken, end }: Sending): Promise<void> {
  const edus = await side.transaction(lastWaiting);
  other.isFull = isFull;
  await other.hear(end === 'is answered' ? edus : edus.slice(0, taken));
  other.isFull = false;
  if (end === 'is answered') side.isAnswered();
  if (end === 'sender ends') side.forgetSent();
}

/** All that is left is told, and they agree. Answers how the two stand to each other by then. */
async function settle(sides: Sides, lastWaiting?: number): Promise<unknown> {
  const all = { does: 'send', lastWaiting, isFull: false, taken: 0, end: 'is answered' } as const;
  for (let i = 0; i < 20 && sides.some(({ hasToSend }) => hasToSend); i++) await go(sides, i % 2, all);
  expect(sides.map(({ hasToSend }) => hasToSend)).toEqual([false, false]);
  await expectAgreed(sides);
  return sides.map(({ relation: { listed, watches } }) => ({ listed, watches }));
}

async function expectAgreed(sides: Sides): Promise<void> {
  for (const [one, other] of [sides, sides.toReversed() as unknown as Sides]) {
    expect(one.relation.listed).toBe(other.relation.watches);
    const isLetIn = one.relation.listed === 'accepted';
    const seen = [await one.follows(one.user, other.user), await other.follows(one.user, other.user)];
    expect(seen).toEqual([isLetIn, isLetIn]);
  }
}

const begin = (): [Side, Side] => {
  const [a, b] = ['@a:a.example' as UserId, '@b:b.example' as UserId];
  return [new Side(a, b), new Side(b, a)];
};

it('two servers agree in the end who sees whom, whatever was told in part, twice, or after one of them ended, and whatever their clocks said', async () => {
  const takes = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const sides = begin();
    for (const [who, todo] of steps) await go(sides, who, todo);
    const settled = await settle(sides);
    // Who was let in by then stays so, though all is told again.
    for (const lastWaiting of [undefined, 0]) {
      for (const side of sides) side.forgetSent(0);
      expect(await settle(sides, lastWaiting)).toEqual(settled);
    }
  });
  await fc.assert(takes, { numRuns: 600 });
}, 60_000);

it('who was asked, dropped and asked again in one transaction stays let in though it comes once more', async () => {
  const [alice, bob] = begin();
  await go([alice, bob], 0, { does: 'ask or drop', times: 3, clock: 1, isQueued: true });
  const edus = await alice.transaction();
  await bob.hear(edus);
  await bob.answer('accept');
  await bob.hear(edus);
  expect(bob.relation).toMatchObject({ watches: 'accepted' });
  alice.isAnswered();
  await settle([alice, bob]);
  expect(alice.relation).toMatchObject({ listed: 'accepted' });
});
