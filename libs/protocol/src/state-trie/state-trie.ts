import type { EventId } from '#kernel/ids';
import type { Steps } from '#kernel/steps';
import { diffNodes, type StateDifference } from './diff-nodes.js';
import type { StateKey } from '../room-event.js';
import { rawHash } from './hash-node.js';
import {
  type Branch,
  findLeaf,
  Leaf,
  leavesOf,
  type Node,
  pathOf,
  put,
  remove,
  type StateEntry,
  type TrieKey,
} from './trie-node.js';

export type { StateDifference, StateEntry, TrieKey };

/** What becomes of one key of a state. */
export interface TrieChange extends StateKey {
  /** undefined: nothing holds it any more. */
  readonly eventId: EventId | undefined;
  /** PERF: where it belongs, for whoever knows it from another trie. */
  readonly path?: number;
}

/**
 * The state of a room as a persistent Merkle trie: (type, state_key) -> event id. A change answers a new trie that shares
 * all unchanged branches with the old one. Equal maps have equal root hashes, whatever was set or deleted on the way.
 *
 * Encoding, so that anybody can compute a root (`||` joins bytes, `len(x)` is the length of x in UTF-8 bytes as decimal digits):
 *
 *     key(type, state_key) = sha256("key:"  || len(type) || ":" || type || state_key)
 *     leaf                 = sha256("leaf:" || len(type) || ":" || type || len(state_key) || ":" || state_key || event_id)
 *     branch               = sha256("branch:" || bitmap as 4 bytes, big-endian || hashes of the children, 32 bytes each)
 *
 * The path of an entry is its key hash read from the most significant bit in groups of five; at level n a branch has a child in
 * slot s (bit s of the bitmap, the least significant bit being slot 0) if any entry below it has s as its nth group. Children
 * are hashed in order of their slots. A subtree of one entry is that leaf, a subtree of two or more is a branch. The empty
 * map hashes as a branch without children. A root is written in URL-safe base64 without padding: 43 characters.
 */
export class StateTrie {
  static readonly empty = new StateTrie(undefined, 0);

  readonly #root: Node | undefined;
  /** How many entries. */
  readonly size: number;

  private constructor(root: Node | undefined, size: number) {
    this.#root = root;
    this.size = size;
  }

  /** The event id at a key, or undefined. */
  get(type: string, stateKey: string): EventId | undefined {
    return findLeaf(this.#root, { type, stateKey, path: pathOf(type, stateKey) })?.eventId;
  }

  /** This trie with one entry set; the same object if it is there already. Hashes nothing but the key. */
  set(type: string, stateKey: string, eventId: EventId): StateTrie {
    const leaf = new Leaf(type, stateKey, eventId, pathOf(type, stateKey));
    const old = findLeaf(this.#root, leaf);
    if (old?.eventId === eventId) return this;
    return new StateTrie(put(this.#root, leaf, 0), old === undefined ? this.size + 1 : this.size);
  }

  /** This trie without one entry; the same object if there is none. */
  delete(type: string, stateKey: string): StateTrie {
    return this.change([{ type, stateKey, eventId: undefined }]);
  }

  /**
   * This trie after some changes in turn; the same object if there are none. PERF: a branch in which several fall is copied once
   * (bench/state-trie.ts).
   */
  change(changes: Iterable<TrieChange>): StateTrie {
    let root = this.#root;
    let { size } = this;
    const own = new Set<Branch>();
    for (const { type, stateKey, eventId, path = pathOf(type, stateKey) } of changes) {
      const key = { type, stateKey, path };
      const old = findLeaf(root, key);
      if (old?.eventId === eventId) continue;
      if (eventId === undefined) root = --size === 0 ? undefined : remove(root as Branch, key, 0);
      else {
        root = put(root, new Leaf(type, stateKey, eventId, path), 0, own);
        if (old === undefined) size++;
      }
    }
    if (root === this.#root) return this;
    return root === undefined ? StateTrie.empty : new StateTrie(root, size);
  }

  /** The hash of the whole map. Computed on first use; later tries hash only the nodes that changed since. */
  get rootHash(): string {
    return Buffer.from(rawHash(this.#root), 'latin1').toString('base64url');
  }

  /** All entries, in the order of their paths: the same for equal maps, but otherwise of no meaning. */
  *entries(): Generator<StateEntry, void, undefined> {
    if (this.#root !== undefined) yield* leavesOf(this.#root);
  }

  /** The differences towards another trie; see `diffTries`. */
  *diff(other: StateTrie): Generator<StateDifference, void, undefined> {
    yield* diffNodes(this.#root, other.#root);
  }
}

/** PERF: so many changes are made, and hashed, in a few milliseconds. */
const CHANGES_AT_ONCE = 500;

/** `change` in steps. It is hashed with them, for that takes as long as the changes and would be one step at the end. */
export function* changeInSteps(trie: StateTrie, changes: readonly TrieChange[]): Steps<StateTrie> {
  let changed = trie;
  for (let at = 0; at < changes.length; at += CHANGES_AT_ONCE) {
    changed = changed.change(changes.slice(at, at + CHANGES_AT_ONCE));
    if (changes.length <= CHANGES_AT_ONCE) break;
    void changed.rootHash;
    yield;
  }
  return changed;
}

/** Builds a trie of entries; of entries with the same key the last one counts. */
export function trieOf(entries: Iterable<StateEntry>): StateTrie {
  return StateTrie.empty.change(entries);
}

/** The keys at which two tries differ, in order of their paths. Walks only where hashes differ. */
export function diffTries(before: StateTrie, after: StateTrie): Generator<StateDifference, void, undefined> {
  return before.diff(after);
}
