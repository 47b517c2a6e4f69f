import fc from 'fast-check';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { beforeEach, describe, expect, it } from 'vitest';
import { KeyedNames } from '#event-store/keyed-names';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts } from '#testing/project';
import { Associations } from './associations.js';
import { identityFeedProjector } from '../projections/identity-feed.projector.js';
import { identityProjector } from '../projections/identity.projector.js';
import { IdentityFeed } from '../replication/identity-feed.js';
import { readEntry } from '../replication/read-entry.js';

const OF = { medium: 'email', address: 'shared@mail.example' } as const;
const [ALICE, BOB] = ['@alice:x.example' as UserId, '@bob:x.example' as UserId];

/** An identity server, of which a test says when it hears of the others. */
class Server {
  readonly store = new MemoryEventStore();
  readonly associations: Associations;
  readonly #rows = new MemoryReadModels();
  readonly #feed: IdentityFeed;
  readonly #places = new Map<ServerName, string>();
  #shown = 0;
  #shownTo: Position = START;
  /** Of its clock. */
  now = 1;

  constructor(
    readonly name: ServerName,
    names = new KeyedNames(Buffer.from(name.padEnd(32))),
  ) {
    const key = generateSigningKey();
    this.associations = new Associations(
      this.store,
      { now: () => this.now },
      this.views,
      { serverName: name },
      key,
      names,
    );
    this.#feed = new IdentityFeed(this.views, this.store, key, { serverName: name });
  }

  get views(): Views {
    const rows = this.#rows;
    return {
      get: rows.get.bind(rows),
      getMany: rows.getMany.bind(rows),
      scan: rows.scan.bind(rows),
      whenProcessed: () => this.#show(),
      position: () => this.#shownTo,
      confirm: async () => {},
    } as unknown as Views;
  }

  async #show(): Promise<void> {
    const fresh = this.store.facts.slice(this.#shown);
    this.#shown = this.store.facts.length;
    for (const projector of [identityProjector, identityFeedProjector]) await applyFacts(projector, fresh, this.#rows);
    this.#shownTo = fresh.at(-1)?.position ?? this.#shownTo;
  }

  /** What it tells others, all of it. */
  async tell(place?: string): Promise<{ readonly entries: readonly JsonObject[]; readonly next: string }> {
    await this.#show();
    return this.#feed.read(place);
  }

  /** Hears what another one has said since it heard of it last. */
  async hear(other: Server): Promise<void> {
    const { entries, next } = await other.tell(this.#places.get(other.name));
    this.#places.set(other.name, next);
    for (const entry of entries) await this.take(entry, other);
  }

  async take(entry: JsonObject, of: Server): Promise<void> {
    const told = readEntry(entry, of.name);
    if (told?.kind === 'association') await this.associations.learn(told.told);
    if (told?.kind === 'end') await this.associations.learnEnd(told.told);
  }

  /** Whose the identifier is, by the log and by the views. */
  async owner(): Promise<UserId | undefined> {
    await this.#show();
    const { mxid } = await this.associations.findHolder(OF);
    expect((await this.associations.find(OF))?.['mxid']).toBe(mxid);
    return mxid;
  }
}

describe('identity servers', () => {
  let [a, b]: Server[] = [];
  beforeEach(() => {
    [a, b] = ['a.example', 'b.example'].map((name) => new Server(name as ServerName));
  });

  it('name an address each in its own way, and tell of what has ended nothing but its id', async () => {
    await a!.associations.bind(OF, ALICE);
    await b!.hear(a!);
    expect(await b!.owner()).toBe(ALICE);
    expect(a!.associations.nameOf(OF)).not.toBe(b!.associations.nameOf(OF));
    a!.now = 2;
    await a!.associations.unbind(OF, ALICE);
    const { entries } = await a!.tell();
    expect(entries.map((entry) => Object.keys(entry).toSorted())).toEqual([['association_id', 'signatures', 'ts']]);
    await b!.hear(a!);
    expect(await b!.owner()).toBeUndefined();
  });

  it('learn nothing of what is over before they heard of it, whichever of the two comes first', async () => {
    await a!.associations.bind(OF, ALICE);
    const { entries: live } = await a!.tell();
    a!.now = 2;
    await a!.associations.unbind(OF, ALICE);
    await b!.hear(a!);
    await b!.take(live[0]!, a!);
    expect(await b!.owner()).toBeUndefined();
    expect(JSON.stringify(b!.store.facts)).not.toMatch(/shared@|alice/);
  });

  it('end what they hear the end of while they learn it', async () => {
    await a!.associations.bind(OF, ALICE);
    const { entries: live } = await a!.tell();
    a!.now = 2;
    await a!.associations.unbind(OF, ALICE);
    const { entries: over } = await a!.tell();
    await Promise.all([b!.take(live[0]!, a!), b!.take(over[0]!, a!)]);
    expect(await b!.owner()).toBeUndefined();
  });

  it('go on with an address under the name that it has, where the key of names was lost', async () => {
    await a!.associations.bind(OF, ALICE);
    const { views, store } = a!;
    a!.now = 2;
    const names = new KeyedNames(Buffer.alloc(32), true);
    const startAt = (now: number, shown: typeof views) =>
      new Associations(store, { now: () => now }, shown, { serverName: a!.name }, generateSigningKey(), names);
    const after = startAt(2, views);
    await after.bind(OF, BOB);
    expect(await a!.owner()).toBe(BOB);
    await after.unbind(OF, BOB);
    expect(await a!.owner()).toBeUndefined();
    // By views that do not show under which one it is, under none.
    await a!.associations.bind(OF, ALICE);
    const unshown = startAt(3, { ...views, position: () => START });
    await expect(unshown.bind(OF, BOB)).rejects.toBeInstanceOf(ViewsUnavailable);
    expect(await a!.owner()).toBe(ALICE);
  });

  it('come to the same, whatever is said at which of them, and whenever they hear of it', async () => {
    const server = fc.nat(2);
    const step = fc.oneof(
      fc.record({ is: fc.constantFrom('bind', 'unbind'), at: server, who: fc.constantFrom(ALICE, BOB) }),
      fc.record({ is: fc.constant('hear'), at: server, of: server }),
      fc.record({ is: fc.constant('pass'), at: server, ms: fc.integer({ min: 1, max: 3 }) }),
    );
    const run = async (steps: readonly { is: string; at: number; of?: number; who?: UserId; ms?: number }[]) => {
      const all = ['a.example', 'b.example', 'c.example'].map((name) => new Server(name as ServerName));
      for (const { is, at, of = 0, who = ALICE, ms = 0 } of steps) {
        const one = all[at]!;
        if (is === 'bind') await one.associations.bind(OF, who);
        else if (is === 'unbind') await one.associations.unbind(OF, who);
        else if (is === 'pass') one.now += ms;
        else if (of !== at) await one.hear(all[of]!);
      }
      // What is not good yet by the clock of one of them is nobody's there.
      for (const one of all) one.now = 100;
      for (let round = 0; round < 3; round++)
        for (const one of all) for (const other of all) if (other !== one) await one.hear(other);
      const owners = await Promise.all(all.map((one) => one.owner()));
      expect(new Set(owners).size).toBe(1);
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 14 }), run), { numRuns: 50 });
  });
});
