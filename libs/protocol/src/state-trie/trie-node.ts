import { hash } from 'node:crypto';
import type { EventId } from '#kernel/ids';
import type { StateKey } from '../room-event.js';

/** One entry of a state dictionary. */
export interface StateEntry extends StateKey {
  readonly eventId: EventId;
}

const BITS = 5;
export const SLOTS = 1 << BITS;
/** Levels whose slot a leaf keeps in `path`, a small integer: 32^6 entries before a key must be hashed again. */
const KEPT_LEVELS = 6;
const LEVELS = Math.ceil(256 / BITS);

/** How many characters of `hashes` belong to one child. */
export const HASH_CHARS = 32;

/** Hashes are kept as Latin-1 strings of 32 characters: one flat allocation each, and cheap to join. */
export type RawHash = string;

export type Node = Leaf | Branch;

/** A key of a state dictionary and where it belongs. */
export interface TrieKey extends StateKey {
  /** The first 30 bits of the key hash. */
  readonly path: number;
}

export class Leaf implements StateEntry, TrieKey {
  constructor(
    readonly type: string,
    readonly stateKey: string,
    readonly eventId: EventId,
    readonly path: number,
  ) {}
}

export class Branch {
  hash: RawHash | undefined = undefined;

  constructor(
    /** Like all here, written only by `put` while nobody else has seen the branch, and where hashes are computed. */
    public bitmap: number,
    /** The children that exist, in order of their slots. */
    readonly children: Node[],
    /**
     * PERF: the hashes of the children one after the other, all that is hashed. A branch takes them over from the one it
     * replaces, so that one changed child does not mean fetching 32 hashes from all over the memory (bench/state-trie.ts).
     * undefined: none known.
     */
    public hashes: string | undefined,
    /** The slots whose part of `hashes` is not valid. */
    public stale: number,
  ) {}
}

const NO_HASH = ' '.repeat(HASH_CHARS);

/** The hash of a key: the path of its entry. */
export function digestOf(type: string, stateKey: string): RawHash {
  return hash('sha256', `key:${Buffer.byteLength(type)}:${type}${stateKey}`, 'binary');
}

/** PERF: the paths of keys that every check of an event looks up: those with an empty state key. */
const emptyKeyPaths = new Map<string, number>();
const MOST_EMPTY_KEYS = 1_000;

/** The first bits of the path of a key, as a leaf keeps them. */
export function pathOf(type: string, stateKey: string): number {
  if (stateKey !== '') return firstBitsOf(digestOf(type, stateKey));
  let path = emptyKeyPaths.get(type);
  if (path === undefined) {
    path = firstBitsOf(digestOf(type, stateKey));
    if (emptyKeyPaths.size < MOST_EMPTY_KEYS) emptyKeyPaths.set(type, path);
  }
  return path;
}

function firstBitsOf(digest: RawHash): number {
  return (
    (digest.charCodeAt(0) << 22) |
    (digest.charCodeAt(1) << 14) |
    (digest.charCodeAt(2) << 6) |
    (digest.charCodeAt(3) >> 2)
  );
}

function slotOf({ type, stateKey, path }: TrieKey, level: number): number {
  return level < KEPT_LEVELS
    ? (path >> ((KEPT_LEVELS - 1 - level) * BITS)) & (SLOTS - 1)
    : slotOfDigest(digestOf(type, stateKey), level);
}

function slotOfDigest(digest: RawHash, level: number): number {
  // Only keys that are the same in UTF-8 (lone surrogates, which no PDU may hold) share all 256 bits.
  if (level >= LEVELS) throw new RangeError('two state keys have the same hash');
  const bit = level * BITS;
  const byte = bit >> 3;
  const word = (digest.charCodeAt(byte) << 8) | digest.charCodeAt(byte + 1);
  return (word >> (11 - (bit & 7))) & (SLOTS - 1);
}

/** How many bits are set: the index of a child is the number of children in lower slots. */
export function countBits(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return (((n + (n >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

/** Where the child of a slot is, or would be, among the children. */
export function indexOf(bitmap: number, slot: number): number {
  return countBits(bitmap & ((1 << slot) - 1));
}

/** The child in a slot. */
export function childAt(branch: Branch, slot: number): Node | undefined {
  return (branch.bitmap & (1 << slot)) === 0 ? undefined : branch.children[indexOf(branch.bitmap, slot)];
}

/** The leaf of a key. */
export function findLeaf(root: Node | undefined, key: TrieKey): Leaf | undefined {
  let node = root;
  for (let level = 0; node instanceof Branch; level++) node = childAt(node, slotOf(key, level));
  return node !== undefined && node.stateKey === key.stateKey && node.type === key.type ? node : undefined;
}

/**
 * Answers `node` with the leaf in it. `own`: the branches that nobody but the caller has seen, which are written to; what is
 * copied becomes one of them.
 */
export function put(node: Node | undefined, leaf: Leaf, level: number, own?: Set<Branch>): Node {
  if (node === undefined) return leaf;
  if (node instanceof Leaf) {
    if (node.stateKey === leaf.stateKey && node.type === leaf.type) return leaf;
    return branchOfTwo(node, leaf, level, own);
  }
  const slot = slotOf(leaf, level);
  const bit = 1 << slot;
  const at = indexOf(node.bitmap, slot);
  const isNew = (node.bitmap & bit) === 0;
  const changed = own?.has(node) === true ? node : copyOf(node, own);
  if (isNew) {
    changed.children.splice(at, 0, leaf);
    changed.hashes = spliceHash(changed.hashes, at, 0, NO_HASH);
    changed.bitmap |= bit;
  } else changed.children[at] = put(changed.children[at], leaf, level + 1, own);
  changed.stale |= bit;
  return changed;
}

function copyOf({ bitmap, children, hashes, stale }: Branch, own: Set<Branch> | undefined): Branch {
  const copy = new Branch(bitmap, children.slice(), hashes, stale);
  own?.add(copy);
  return copy;
}

/** Replaces some of the hashes by a text. */
export function spliceHash(hashes: string | undefined, at: number, removed: number, added: string): string | undefined {
  if (hashes === undefined) return undefined;
  return hashes.slice(0, at * HASH_CHARS) + added + hashes.slice((at + removed) * HASH_CHARS);
}

function branchOfTwo(old: Leaf, added: Leaf, level: number, own: Set<Branch> | undefined): Branch {
  const a = slotOf(old, level);
  const b = slotOf(added, level);
  const children = a === b ? [branchOfTwo(old, added, level + 1, own)] : a < b ? [old, added] : [added, old];
  const branch = new Branch((1 << a) | (1 << b), children, undefined, 0);
  own?.add(branch);
  return branch;
}

/** Answers a branch without the leaf that is known to be below it; a single leaf that is left takes its place. */
export function remove(branch: Branch, key: TrieKey, level: number): Node {
  const { bitmap, children, hashes, stale } = branch;
  const slot = slotOf(key, level);
  const bit = 1 << slot;
  const at = indexOf(bitmap, slot);
  const child = children[at] as Node;
  if (child instanceof Leaf) {
    const left = children.toSpliced(at, 1);
    if (left.length === 1 && left[0] instanceof Leaf) return left[0];
    return new Branch(bitmap & ~bit, left, spliceHash(hashes, at, 1, ''), stale & ~bit);
  }
  const smaller = remove(child, key, level + 1);
  if (smaller instanceof Leaf && children.length === 1) return smaller;
  return new Branch(bitmap, children.with(at, smaller), hashes, stale | bit);
}

/** All leaves below a node, in order of their paths. */
export function* leavesOf(root: Node): Generator<Leaf, void, undefined> {
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node instanceof Leaf) yield node;
    else for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i] as Node);
  }
}
