import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import { diffTries, type StateEntry, StateTrie, trieOf } from './state-trie.js';

const text = fc.oneof(
  fc.constantFrom('', 'm.room.member', 'm.room.topic', '@alice:a', '@bob:b', 'é', '\u{1f600}'),
  fc.string({ maxLength: 6, unit: 'binary' }),
);
const entry: fc.Arbitrary<StateEntry> = fc.record({
  type: text,
  stateKey: text,
  eventId: fc.constantFrom('$a', '$b', '$c', '$déjà').map((id) => id as EventId),
});
const entries = fc.array(entry, { maxLength: 80 });
/** Keys that meet again often, so that deletions find something and branches shrink. */
const knownEntry = entry.chain((e) =>
  fc.record({ type: fc.constantFrom('a', 'b'), stateKey: fc.nat(60).map(String), eventId: fc.constant(e.eventId) }),
);
const operations = fc.array(
  fc.record({ entry: fc.oneof(entry, knownEntry, knownEntry), remove: fc.boolean(), hash: fc.boolean() }),
  { maxLength: 150 },
);

const keyOf = (e: { type: string; stateKey: string }) => JSON.stringify([e.type, e.stateKey]);
const mapOf = (list: Iterable<StateEntry>) => new Map([...list].map((e) => [keyOf(e), e]));

/** Sets and deletes; hashes in between, because later tries start from what earlier ones know of their hashes. */
function apply(start: StateTrie, list: readonly { entry: StateEntry; remove: boolean; hash: boolean }[]): StateTrie {
  let trie = start;
  for (const { entry: e, remove, hash } of list) {
    trie = remove ? trie.delete(e.type, e.stateKey) : trie.set(e.type, e.stateKey, e.eventId);
    if (hash) void trie.rootHash;
  }
  return trie;
}

function member(i: number): StateEntry {
  return { type: 'm.room.member', stateKey: `@user${i}:example.org`, eventId: `$event${i}` as EventId };
}

function sha(...parts: (string | Buffer)[]): Buffer {
  const h = createHash('sha256');
  for (const part of parts) h.update(part);
  return h.digest();
}
const length = (s: string) => Buffer.from(s).length;
const pathOf = (e: StateEntry) =>
  [...sha(`key:${length(e.type)}:`, e.type, e.stateKey)].map((b) => b.toString(2).padStart(8, '0')).join('');
const leafOf = (e: StateEntry) =>
  sha(`leaf:${length(e.type)}:`, e.type, `${length(e.stateKey)}:`, e.stateKey, e.eventId);
const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);
const rootOfOne = (type: string, stateKey: string) => StateTrie.empty.set(type, stateKey, '$e' as EventId).rootHash;

/** The root as the comment of state-trie.ts defines it, computed without a trie. */
function referenceRoot(list: readonly StateEntry[]): string {
  const paths = new Map(list.map((e) => [e, pathOf(e)]));
  const node = (group: readonly StateEntry[], level: number): Buffer => {
    if (group.length === 1 && group[0] !== undefined) return leafOf(group[0]);
    const bitmap = Buffer.alloc(4);
    const hashes: Buffer[] = [];
    for (let slot = 0; slot < 32; slot++) {
      const below = group.filter(
        (e) => Number.parseInt(paths.get(e)?.slice(level * 5, level * 5 + 5) ?? '', 2) === slot,
      );
      if (below.length === 0) continue;
      bitmap.writeUInt32BE((bitmap.readUInt32BE() | (1 << slot)) >>> 0);
      hashes.push(node(below, level + 1));
    }
    return sha('branch:', bitmap, ...hashes);
  };
  return node(list, 0).toString('base64url');
}

describe('state trie', () => {
  it('answers what was set, and nothing for other keys', () => {
    fc.assert(
      fc.property(operations, (list) => {
        const trie = apply(StateTrie.empty, list);
        const expected = new Map<string, StateEntry>();
        for (const { entry: e, remove } of list) {
          if (remove) expected.delete(keyOf(e));
          else expected.set(keyOf(e), e);
        }
        for (const { entry: e } of list) expect(trie.get(e.type, e.stateKey)).toBe(expected.get(keyOf(e))?.eventId);
        expect(trie.get('absent', 'absent')).toBeUndefined();
        expect(trie.size).toBe(expected.size);
        expect(new Map([...trie.entries()].map((e) => [keyOf(e), e.eventId]))).toEqual(
          new Map([...expected].map(([k, e]) => [k, e.eventId])),
        );
      }),
    );
  });

  it('has a root that depends on the map only, not on what was set or deleted on the way', () => {
    fc.assert(
      fc.property(operations, fc.infiniteStream(fc.nat()), (list, random) => {
        const trie = apply(StateTrie.empty, list);
        const shuffled = [...trie.entries()]
          .map((e) => ({ e, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ e }) => e);
        expect(shuffled.reduce((t, e) => t.set(e.type, e.stateKey, e.eventId), StateTrie.empty).rootHash).toBe(
          trie.rootHash,
        );
        expect(trieOf(shuffled).rootHash).toBe(trie.rootHash);
      }),
    );
  });

  it('has different roots for different maps', () => {
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        const same = [...mapOf(a)].every(([k, e]) => mapOf(b).get(k)?.eventId === e.eventId);
        const equal = same && mapOf(a).size === mapOf(b).size;
        expect(trieOf(a).rootHash === trieOf(b).rootHash).toBe(equal);
      }),
    );
    expect(rootOfOne('ab', 'c')).not.toBe(rootOfOne('a', 'bc'));
  });

  it('hashes as its documentation says', () => {
    expect(StateTrie.empty.rootHash).toBe(referenceRoot([]));
    fc.assert(
      fc.property(entries, (list) => {
        expect(trieOf(list).rootHash).toBe(referenceRoot([...mapOf(list).values()]));
      }),
      { numRuns: 40 },
    );
    const list = Array.from({ length: 2_000 }, (_, i) => member(i));
    expect(trieOf(list).rootHash).toBe(referenceRoot(list));
    expect(trieOf(list).rootHash).toMatch(/^[\w-]{43}$/);
  });

  it('finds the same differences as comparing all keys', () => {
    fc.assert(
      fc.property(entries, operations, (base, changes) => {
        const before = trieOf(base);
        const after = apply(before, changes);
        const keys = new Map([...before.entries(), ...after.entries()].map((e) => [keyOf(e), e]));
        const naive = [...keys]
          .map(([key, e]) => ({ key, before: before.get(e.type, e.stateKey), after: after.get(e.type, e.stateKey) }))
          .filter((d) => d.before !== d.after);
        for (const other of [after, trieOf(after.entries())]) {
          const found = [...diffTries(before, other)].map((d) => ({ key: keyOf(d), before: d.before, after: d.after }));
          expect(found.sort(byKey)).toEqual(naive.sort(byKey));
        }
      }),
    );
  });

  it('leaves the trie it came from as it was', () => {
    fc.assert(
      fc.property(entries, operations, (base, changes) => {
        const trie = trieOf(base);
        const root = trie.rootHash;
        const list = [...trie.entries()];
        void apply(trie, changes).rootHash;
        expect([...trie.entries()]).toEqual(list);
        expect(trieOf(trie.entries()).rootHash).toBe(root);
      }),
    );
  });

  it('comes to the same by many changes at once as by one after another, and stays as it was', () => {
    fc.assert(
      fc.property(entries, operations, operations, (base, list, others) => {
        const trie = trieOf(base);
        const root = trie.rootHash;
        const after = apply(trie, list);
        const changes = list.map(({ entry: e, remove }) => ({ ...e, eventId: remove ? undefined : e.eventId }));
        const changed = trie.change(changes);
        const changedRoot = changed.rootHash;
        expect(changedRoot).toBe(after.rootHash);
        expect(changed.size).toBe(after.size);
        expect([...changed.entries()]).toEqual([...after.entries()]);
        // With the paths that another trie knows, upon branches whose hashes are known.
        const other = apply(changed, others);
        const towards = [...diffTries(changed, other)].map((each) => ({ ...each, eventId: each.after }));
        const reached = changed.change(towards);
        expect(reached.rootHash).toBe(other.rootHash);
        expect(reached.size).toBe(other.size);
        expect(trieOf(reached.entries()).rootHash).toBe(other.rootHash);
        expect(trieOf(changed.entries()).rootHash).toBe(changedRoot);
        expect(trieOf(trie.entries()).rootHash).toBe(root);
      }),
    );
  });

  it('answers itself when nothing changes', () => {
    const trie = trieOf([member(1), member(2)]);
    expect(trie.set('m.room.member', '@user1:example.org', '$event1' as EventId)).toBe(trie);
    expect(trie.delete('m.room.member', '@user3:example.org')).toBe(trie);
    expect(trie.change([member(1), member(2), { ...member(3), eventId: undefined }])).toBe(trie);
    expect(trie.delete('m.room.member', '@user1:example.org').delete('m.room.member', '@user2:example.org')).toBe(
      StateTrie.empty,
    );
  });

  it('keeps keys apart that share more of their path than a leaf remembers', () => {
    // Two keys whose hashes share 32 bits, found by search: their paths part at level six.
    const [a, b] = [65_417, 95_943].map((i) => ({ type: 'x', stateKey: `${i}`, eventId: `$${i}` as EventId }));
    if (a === undefined || b === undefined) throw new Error('unreachable');
    const trie = trieOf([a, b]);
    expect([trie.get(a.type, a.stateKey), trie.get(b.type, b.stateKey)]).toEqual([a.eventId, b.eventId]);
    expect(trie.rootHash).toBe(referenceRoot([a, b]));
    expect(trie.delete(a.type, a.stateKey).rootHash).toBe(referenceRoot([b]));
    expect(StateTrie.empty.set(b.type, b.stateKey, b.eventId).set(a.type, a.stateKey, a.eventId).rootHash).toBe(
      trie.rootHash,
    );
  });

  it('refuses two keys that are the same in UTF-8 rather than mixing them up', () => {
    const trie = StateTrie.empty.set('t', '\ud800', '$a' as EventId);
    expect(() => trie.set('t', '\ud801', '$b' as EventId)).toThrow(RangeError);
  });
});
