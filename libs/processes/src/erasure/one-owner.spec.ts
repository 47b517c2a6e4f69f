import { setImmediate as aTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Accounts } from '#accounts/accounts';
import { AddThreepid, AddThreepidHandler } from '#accounts/commands/add-threepid';
import { DeactivateAccount, DeactivateAccountHandler } from '#accounts/commands/deactivate-account';
import { ProvideAccount, ProvideAccountHandler } from '#accounts/commands/provide-account';
import { RemoveThreepid, RemoveThreepidHandler } from '#accounts/commands/remove-threepid';
import { decideReopening } from '#accounts/decide/decide-account';
import { ExternalIds } from '#accounts/external-ids';
import { externalIdHash, externalIdStream } from '#accounts/facts/external-id-facts';
import { threepidStream } from '#accounts/facts/threepid-facts';
import { OutsideClaims } from '#accounts/outside-claims';
import type { NewPasswords } from '#accounts/sessions/new-passwords';
import type { Reopening } from '#accounts/reopening';
import { parseThreepid, threepidKey } from '#accounts/threepids/threepid';
import { ThreepidClaims } from '#accounts/threepids/threepid-claims';
import type { Appended, ExpectedRevision, NewFact, ReadStreamOptions, RecordedFact } from '#event-store/event-store';
import { EventStoreUpon } from '#event-store/event-store-upon';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { START } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { MemoryEventStore } from '#testing/memory-event-store';
import { TEST_NAMES } from '#testing/test-names';
import { UnlinkedIds } from './unlinked-ids.effect.js';

const USERS = ['@alice:a.example', '@bob:a.example'] as UserId[];
const ADDRESSES = ['one', 'two'].map((name) => parseThreepid('email', `${name}@mail.example`));
const IDS = ['one', 'two'].map((subject) => ({ provider: 'corp', subject }));
const CAUSE = { actor: 'server' };
/** Longer than a claim is believed of which nothing has come. */
const GIVEN_UP_MS = 61_000;

/** The process ends here. */
class Crash extends Error {}

/** What chance has. */
class Chance {
  constructor(private readonly value: fc.GeneratorValue) {}

  below(count: number): number {
    return this.value(fc.nat, count - 1);
  }

  is(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<T>(things: readonly T[]): T {
    return things[this.below(things.length)]!;
  }

  some<T>(things: readonly T[]): T[] {
    return things.filter(() => this.is(50));
  }

  /** Others go on meanwhile. */
  async pause(): Promise<void> {
    for (let turns = this.below(4); turns > 0; turns--) await aTurn();
  }
}

/** The log as one process has it, which takes its time, and at which that may end before or after it has written. */
class SlowLog extends EventStoreUpon {
  constructor(
    store: MemoryEventStore,
    private readonly chance: Chance,
    private readonly mayCrash: () => boolean,
  ) {
    super(store);
  }

  override async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    await this.chance.pause();
    this.#crash('before');
    const appended = await super.append(stream, expected, facts);
    this.#crash('after');
    await this.chance.pause();
    return appended;
  }

  override async *readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedFact> {
    await this.chance.pause();
    yield* super.readStream(stream, options);
    await this.chance.pause();
  }

  override async truncate(stream: string, before: number): Promise<void> {
    await this.chance.pause();
    await super.truncate(stream, before);
  }

  #crash(when: string): void {
    if (this.mayCrash() && this.chance.is(4)) throw new Crash(`${when} it was written`);
  }
}

/** Two processes on one log, with two accounts, two addresses and two accounts elsewhere. */
class World {
  readonly #log = new MemoryEventStore();
  #now = 1_000_000;
  #mayCrash = false;
  readonly #processes;
  readonly #followed = new Set<string>();
  #following = Promise.resolve();

  constructor(private readonly chance: Chance) {
    this.#processes = [this.#start(), this.#start()] as const;
  }

  async begin(): Promise<void> {
    const [{ accounts }] = this.#processes;
    for (const userId of USERS) {
      const data = { user_id: userId, kind: 'user', via: 'open' } as const;
      await accounts.change(userId, () => [{ type: 'account-registered', data }], CAUSE);
    }
  }

  /** Some do something at once, and all of it ends. */
  async goOn(): Promise<void> {
    this.#mayCrash = this.chance.is(30);
    await Promise.all(Array.from({ length: 2 + this.chance.below(4) }, () => this.#act()));
    if (this.chance.is(50)) await this.#follow();
    this.#mayCrash = false;
    if (this.chance.is(30)) this.#now += GIVEN_UP_MS;
  }

  /** Who has what by their account, each beside who has claimed it last. */
  async listOwners(): Promise<{ owners: UserId[]; claimant: UserId | undefined }[]> {
    const { accounts } = this.chance.of(this.#processes);
    const known = await Promise.all(USERS.map(async (userId) => ({ userId, account: await accounts.load(userId) })));
    const addresses = ADDRESSES.map((address) => ({
      owners: known.filter(({ account }) => !account.deactivated && account.threepids.has(threepidKey(address))),
      claimant: this.#claimantOf(threepidStream(TEST_NAMES, address), 'threepid-claimed'),
    }));
    const ids = IDS.map((id) => ({
      owners: known.filter(
        ({ account: { deactivated, erased, externalIds = [] } }) =>
          !(deactivated && erased) && externalIds.some((each) => each.id_hash === externalIdHash(id)),
      ),
      claimant: this.#claimantOf(externalIdStream(TEST_NAMES, externalIdHash(id)), 'external-id-claimed'),
    }));
    return [...addresses, ...ids].map(({ owners, claimant }) => ({
      owners: owners.map(({ userId }) => userId),
      claimant,
    }));
  }

  #claimantOf(stream: string, type: string): UserId | undefined {
    const last = this.#log.facts.findLast((fact) => fact.stream === stream);
    return last?.type === type ? (JSON.parse(last.data) as { user_id: UserId }).user_id : undefined;
  }

  #start() {
    const log = new SlowLog(this.#log, this.chance, () => this.#mayCrash);
    const clock = { now: () => this.#now, elapsed: () => this.#now };
    const pause = (): Promise<void> => this.chance.pause();
    const views = {
      whenProcessed: pause,
      whenKept: pause,
      confirm: async () => {},
      get: async () => undefined,
      position: () => START,
    };
    const config = { eventStoreUrl: 'esdb://several.example' };
    const accounts = new Accounts(log, clock, views);
    const claims = new ThreepidClaims(log, clock, config, accounts, TEST_NAMES, views);
    const ids = new ExternalIds(log, clock, config, accounts, TEST_NAMES, views);
    const outside = new OutsideClaims(accounts, claims, ids);
    const passwords = { count: false } as NewPasswords;
    // Nobody comes back before what follows from the closing is done.
    const reopening = { prepare: () => this.#follow() } as unknown as Reopening;
    return {
      accounts,
      ids,
      add: new AddThreepidHandler(outside, clock),
      remove: new RemoveThreepidHandler(accounts, claims),
      provide: new ProvideAccountHandler(accounts, outside, passwords, reopening, clock),
      close: new DeactivateAccountHandler(accounts, claims, {}),
      unlinked: new UnlinkedIds(log, accounts, ids, views),
    };
  }

  async #act(): Promise<void> {
    const { chance } = this;
    const { accounts, ids, add, remove, provide, close } = chance.of(this.#processes);
    const [userId, address, id] = [chance.of(USERS), chance.of(ADDRESSES), chance.of(IDS)];
    const acts: readonly (() => Promise<unknown>)[] = [
      () => add.execute(new AddThreepid(userId, address, 5, CAUSE)),
      () => remove.execute(new RemoveThreepid(userId, address, CAUSE)),
      () => {
        const wanted = {
          displayname: String(chance.below(100)),
          ...(chance.is(70) ? { threepids: chance.some(ADDRESSES) } : {}),
          ...(chance.is(70) ? { externalIds: chance.some(IDS) } : {}),
          ...(chance.is(40) ? { isClosed: chance.is(30) } : {}),
        };
        return provide.execute(new ProvideAccount(userId, wanted, CAUSE));
      },
      () => close.execute(new DeactivateAccount(userId, chance.is(50), CAUSE)),
      async () => {
        const { closedAt } = await accounts.load(userId);
        await this.#follow();
        await accounts.change(userId, (account) => decideReopening(account, closedAt), CAUSE);
      },
      () => ids.link(id, userId, CAUSE),
      () => ids.linkByName(id, userId, CAUSE),
      () => ids.unlink(externalIdHash(id), userId, CAUSE, () => {}),
      () => this.#follow(),
    ];
    // What is decided for addresses has the most to lose.
    const act = chance.of([...acts, ...acts.slice(0, 3), ...acts.slice(0, 3)]);
    await chance.pause();
    await act().catch((error: unknown) => {
      if (!(error instanceof MatrixError || error instanceof Crash)) throw error;
    });
  }

  /** What follows from the facts, in one process, one after another; what it dies of is done once more. */
  #follow(): Promise<void> {
    this.#following = this.#following.then(async () => {
      for (const fact of this.#log.facts) {
        if (this.#followed.has(fact.id)) continue;
        try {
          await this.#followFrom(fact);
        } catch (error) {
          if (error instanceof Crash) return;
          throw error;
        }
        this.#followed.add(fact.id);
      }
    });
    return this.#following;
  }

  async #followFrom(fact: RecordedFact): Promise<void> {
    const { accounts, ids, unlinked } = this.#processes[0];
    if (fact.type === 'external-id-unlinked') await unlinked.run(fact);
    if (fact.type !== 'account-deactivated' || !(JSON.parse(fact.data) as { erase: boolean }).erase) return;
    const userId = userIdOfStream(fact.stream);
    // As the erasure of an account does.
    const { externalIds = [] } = await accounts.load(userId);
    for (const { id_hash: idHash } of externalIds) await ids.release(idHash, userId, fact.position);
  }
}

it('an address, and an account elsewhere, is one account’s at most, whose claim stands, whatever two processes do at once and where they end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (value) => {
      const world = new World(new Chance(value));
      await world.begin();
      for (let round = 0; round < 4; round++) {
        await world.goOn();
        for (const { owners, claimant } of await world.listOwners()) {
          expect(owners.length).toBeLessThanOrEqual(1);
          if (owners.length === 1) expect(claimant).toBe(owners[0]);
        }
      }
    }),
    { numRuns: 300, endOnFailure: true },
  );
});
