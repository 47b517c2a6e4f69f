import { describe, expect, it } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import { Disk, MortalStores } from '#testing/mortal-stores';
import { numbersFrom } from '#testing/numbers-from';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

const MINUTES = 10 * 60_000;

type Message = { readonly sender: string; readonly content: { readonly n: number } };
const told = (answer: SyncAnswer['body']): readonly Message[] => answer.to_device.events;
const numbers = (messages: readonly Message[]): number[] => messages.map(({ content }) => content.n);

describe('a process that ends', () => {
  it(
    'while messages are sent, collected and erased sends each once, in order, and nothing that was answered is lost',
    async () => {
      const send = async ({ app, ...sender }: SyncUser, receiver: SyncUser, n: number): Promise<void> => {
        const messages = { [receiver.userId]: { '*': { n } } };
        await app.call('PUT', `/_matrix/client/v3/sendToDevice/m.test/t${n}`, sender.token, { messages });
        await app.settled();
      };
      const steps = await endAtEachStep({
        async prepare(app: SyncApp) {
          const [alice, bob] = [await app.register('alice'), await app.register('bob')];
          const { next_batch: since } = await bob.sync();
          await send(alice, bob, 0);
          return { alice, bob, since };
        },
        async act(app, { alice, bob, since }) {
          await send(alice.on(app), bob.on(app), 1);
          const answer = await bob.on(app).sync({ since });
          await bob.on(app).sync({ since: answer.next_batch });
          return { since: answer.next_batch as string, heard: numbers(told(answer)) };
        },
        async check(app, { alice, bob, since: before }, answer) {
          await send(alice.on(app), bob.on(app), 1);
          const first = answer ?? { since: before, heard: [] };
          if (answer !== undefined) expect(answer.heard).toEqual([0, 1]);
          const rest = await bob.on(app).sync({ since: first.since });
          const { next_batch: since } = rest;
          // Where the client had no answer it comes with its old token, of which the server may know that it is overtaken.
          if (answer !== undefined) expect(numbers(told(rest))).toEqual([]);
          else expect([[0, 1], []]).toContainEqual(numbers(told(rest)));
          expect(numbers(told(await bob.on(app).sync({ since })))).toEqual([]);
          expect(numbers(told(await bob.on(app).sync()))).toEqual([]);
        },
      });
      expect(steps).toBeGreaterThan(4);
    },
    MINUTES,
  );
});

const SENT = 12;

/** Two who send to two devices of a third and to each other, as clients do: the same again until it is answered. */
class Correspondence {
  readonly #heard = new Map<SyncUser, Message[]>();
  readonly #since = new Map<SyncUser, string>();
  readonly #sent = new Map<SyncUser, number>();

  constructor(
    readonly senders: readonly SyncUser[],
    readonly receivers: readonly SyncUser[],
  ) {
    for (const receiver of receivers) this.#heard.set(receiver, []);
    for (const sender of senders) this.#sent.set(sender, 0);
  }

  get isOver(): boolean {
    const isSent = [...this.#sent.values()].every((count) => count === SENT);
    return isSent && [...this.#heard.values()].every((heard) => heard.length >= this.senders.length * SENT);
  }

  /** All go on at once for as long as the process lives. */
  async goOn(app: SyncApp): Promise<void> {
    await Promise.all([
      ...this.senders.map((sender) => this.#send(app, sender)),
      ...this.receivers.map((receiver) => this.#collect(app, receiver)),
    ]);
  }

  check(): void {
    for (const heard of this.#heard.values()) {
      for (const { userId } of this.senders) {
        const ofSender = heard.filter(({ sender }) => sender === userId);
        expect(numbers(ofSender)).toEqual(Array.from({ length: SENT }, (_, n) => n));
      }
    }
  }

  async #send(app: SyncApp, sender: SyncUser): Promise<void> {
    for (let n = this.#sent.get(sender)!; n < SENT; n++) {
      const messages = Object.fromEntries(this.receivers.map(({ userId }) => [userId, { '*': { n } }]));
      await sender.on(app).ok('PUT', `/sendToDevice/m.test/t${n}`, { messages });
      this.#sent.set(sender, n + 1);
    }
  }

  async #collect(app: SyncApp, receiver: SyncUser): Promise<void> {
    const heard = this.#heard.get(receiver)!;
    while (!this.isOver) {
      const since = this.#since.get(receiver);
      const answer = await receiver.on(app).sync({ ...(since === undefined ? {} : { since }), timeout: 20 });
      heard.push(...told(answer));
      this.#since.set(receiver, answer.next_batch);
    }
    // The last is collected by the next token.
    await receiver.on(app).sync({ since: this.#since.get(receiver)! });
  }
}

describe('messages to devices', () => {
  it.each([1, 2, 3])(
    'come once and in the order of each sender, however often processes end and views are lost: %i',
    async (seed) => {
      const random = numbersFrom(seed);
      let disk = Disk.empty();
      const first = await SyncApp.start(new MortalStores(disk));
      const [alice, bob, carol] = [
        await first.register('alice'),
        await first.register('bob'),
        await first.register('carol'),
      ];
      const correspondence = new Correspondence([alice, bob], [carol, await carol.logIn()]);
      await first.close();
      for (let ends = 0; ends < 10 && !correspondence.isOver; ends++) {
        disk = await disk.copy({ withoutViews: random(4) === 0 });
        const stores = new MortalStores(disk);
        const app = await SyncApp.start(stores);
        stores.endAfter(1 + random(25));
        await Promise.race([correspondence.goOn(app).catch(() => {}), stores.ended]);
        stores.end();
        app.abandon();
      }
      const last = await SyncApp.start(new MortalStores(await disk.copy()));
      await correspondence.goOn(last);
      correspondence.check();
      await expect.poll(() => last.views.effects.list().every(({ waiting }) => waiting === 0)).toBe(true);
      await expectSameRowsRebuilt(last, ['inbox']);
      await last.close();
    },
    MINUTES,
  );
});
