import type { EventId } from '#kernel/ids';
import { diffNodes, type StateDifference } from './diff-nodes.js';
import { rawHash } from './hash-node.js';
import {
  type Branch,
  digestOf,
  findLeaf,
  Leaf,
  leavesOf,
  type Node,
  pathOf,
  put,
  remove,
  type StateEntry,
} from './trie-node.js';

export type { StateDifference, StateEntry };

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
    return findLeaf(this.#root, type, stateKey, digestOf(type, stateKey))?.eventId;
  }

  /** This trie with one entry set; the same object if it is there already. Hashes nothing but the key. */
  set(type: string, stateKey: string, eventId: EventId): StateTrie {
    const digest = digestOf(type, stateKey);
    const old = findLeaf(this.#root, type, stateKey, digest);
    if (old?.eventId === eventId) return this;
    const root = put(this.#root, new Leaf(type, stateKey, eventId, pathOf(digest)), digest, 0, false);
    return new StateTrie(root, old === undefined ? this.size + 1 : this.size);
  }

  /** This trie without one entry; the same object if there is none. */
  delete(type: string, stateKey: string): StateTrie {
    const digest = digestOf(type, stateKey);
    if (findLeaf(this.#root, type, stateKey, digest) === undefined) return this;
    return this.size === 1 ? StateTrie.empty : new StateTrie(remove(this.#root as Branch, digest, 0), this.size - 1);
  }

  /** The hash of the whole map. Computed on first use; later tries hash only the nodes that changed since. */
  get rootHash(): string {
    return Buffer.from(rawHash(this.#root), 'latin1').toString('base64url');
  }

  /** All entries, in the order of their paths: the same for equal maps, but otherwise of no meaning. */
  *entries(): Generator<StateEntry, void, undefined> {
    if (this.#root !== undefined) yield* leavesOf(this.#root);
  }

  /** Builds a trie in place, without the copies of repeated `set`; of entries with the same key the last one counts. */
  static of(entries: Iterable<StateEntry>): StateTrie {
    let root: Node | undefined;
    let size = 0;
    for (const { type, stateKey, eventId } of entries) {
      const digest = digestOf(type, stateKey);
      if (findLeaf(root, type, stateKey, digest) === undefined) size++;
      root = put(root, new Leaf(type, stateKey, eventId, pathOf(digest)), digest, 0, true);
    }
    return root === undefined ? StateTrie.empty : new StateTrie(root, size);
  }

  /** The differences towards another trie; see `diffTries`. */
  *diff(other: StateTrie): Generator<StateDifference, void, undefined> {
    yield* diffNodes(this.#root, other.#root);
  }
}

/** Builds a trie of entries; of entries with the same key the last one counts. */
export function trieOf(entries: Iterable<StateEntry>): StateTrie {
  return StateTrie.of(entries);
}

/** The keys at which two tries differ, in order of their paths. Walks only where hashes differ. */
export function diffTries(before: StateTrie, after: StateTrie): Generator<StateDifference, void, undefined> {
  return before.diff(after);
}
