import { hash } from 'node:crypto';
import type { EventId } from '#kernel/ids';
import type { StateKey } from '../room-event.js';

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
    return Buffer.from(rawHash(this.#root ?? EMPTY_BRANCH), 'latin1').toString('base64url');
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

/** One entry of a state dictionary. */
export interface StateEntry extends StateKey {
  readonly eventId: EventId;
}

/** A key at which two states differ; undefined on the side that has no such entry. */
export interface StateDifference extends StateKey {
  readonly before: EventId | undefined;
  readonly after: EventId | undefined;
}

/** Builds a trie of entries; of entries with the same key the last one counts. */
export function trieOf(entries: Iterable<StateEntry>): StateTrie {
  return StateTrie.of(entries);
}

/** The keys at which two tries differ, in order of their paths. Walks only where hashes differ. */
export function diffTries(before: StateTrie, after: StateTrie): Generator<StateDifference, void, undefined> {
  return before.diff(after);
}

const BITS = 5;
const SLOTS = 1 << BITS;
/** Levels whose slot a leaf keeps in `path`, a small integer: 32^6 entries before a key must be hashed again. */
const KEPT_LEVELS = 6;
const LEVELS = Math.ceil(256 / BITS);

/** Hashes are kept as Latin-1 strings of 32 characters: one flat allocation each, and cheap to join. */
type RawHash = string;

type Node = Leaf | Branch;

class Leaf implements StateEntry {
  hash: RawHash | undefined = undefined;

  constructor(
    readonly type: string,
    readonly stateKey: string,
    readonly eventId: EventId,
    /** The first 30 bits of the key hash. */
    readonly path: number,
  ) {}
}

class Branch {
  hash: RawHash | undefined = undefined;

  constructor(
    /** Written only while `StateTrie.of` builds a trie that nobody else has seen. */
    public bitmap: number,
    /** The children that exist, in order of their slots. */
    readonly children: Node[],
  ) {}
}

const EMPTY_BRANCH = new Branch(0, []);

function digestOf(type: string, stateKey: string): RawHash {
  return hash('sha256', `key:${Buffer.byteLength(type)}:${type}${stateKey}`, 'binary');
}

function pathOf(digest: RawHash): number {
  return (
    (digest.charCodeAt(0) << 22) |
    (digest.charCodeAt(1) << 14) |
    (digest.charCodeAt(2) << 6) |
    (digest.charCodeAt(3) >> 2)
  );
}

function slotOf(digest: RawHash, level: number): number {
  // Only keys that are the same in UTF-8 (lone surrogates, which no PDU may hold) share all 256 bits.
  if (level >= LEVELS) throw new RangeError('two state keys have the same hash');
  const bit = level * BITS;
  const byte = bit >> 3;
  const word = (digest.charCodeAt(byte) << 8) | digest.charCodeAt(byte + 1);
  return (word >> (11 - (bit & 7))) & (SLOTS - 1);
}

function slotOfLeaf(leaf: Leaf, level: number): number {
  return level < KEPT_LEVELS
    ? (leaf.path >> ((KEPT_LEVELS - 1 - level) * BITS)) & (SLOTS - 1)
    : slotOf(digestOf(leaf.type, leaf.stateKey), level);
}

/** How many bits are set: the index of a child is the number of children in lower slots. */
function countBits(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return (((n + (n >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

function indexOf(bitmap: number, slot: number): number {
  return countBits(bitmap & ((1 << slot) - 1));
}

function childAt(branch: Branch, slot: number): Node | undefined {
  return (branch.bitmap & (1 << slot)) === 0 ? undefined : branch.children[indexOf(branch.bitmap, slot)];
}

function findLeaf(root: Node | undefined, type: string, stateKey: string, digest: RawHash): Leaf | undefined {
  let node = root;
  for (let level = 0; node instanceof Branch; level++) node = childAt(node, slotOf(digest, level));
  return node !== undefined && node.stateKey === stateKey && node.type === type ? node : undefined;
}

/** Answers `node` with the leaf in it. `inPlace`: the branches belong to the caller alone and may be written to. */
function put(node: Node | undefined, leaf: Leaf, digest: RawHash, level: number, inPlace: boolean): Node {
  if (node === undefined) return leaf;
  if (node instanceof Leaf) {
    if (node.stateKey === leaf.stateKey && node.type === leaf.type) return leaf;
    return branchOfTwo(node, leaf, digest, level);
  }
  const slot = slotOf(digest, level);
  const bit = 1 << slot;
  const at = indexOf(node.bitmap, slot);
  const children = inPlace ? node.children : node.children.slice();
  if ((node.bitmap & bit) === 0) children.splice(at, 0, leaf);
  else children[at] = put(children[at], leaf, digest, level + 1, inPlace);
  if (!inPlace) return new Branch(node.bitmap | bit, children);
  node.bitmap |= bit;
  return node;
}

function branchOfTwo(old: Leaf, added: Leaf, digest: RawHash, level: number): Branch {
  const a = slotOfLeaf(old, level);
  const b = slotOf(digest, level);
  if (a === b) return new Branch(1 << a, [branchOfTwo(old, added, digest, level + 1)]);
  return new Branch((1 << a) | (1 << b), a < b ? [old, added] : [added, old]);
}

/** Answers a branch without the leaf that is known to be below it; a single leaf that is left takes its place. */
function remove(branch: Branch, digest: RawHash, level: number): Node {
  const slot = slotOf(digest, level);
  const at = indexOf(branch.bitmap, slot);
  const child = branch.children[at] as Node;
  if (child instanceof Leaf) {
    const left = branch.children.toSpliced(at, 1);
    return left.length === 1 && left[0] instanceof Leaf ? left[0] : new Branch(branch.bitmap & ~(1 << slot), left);
  }
  const smaller = remove(child, digest, level + 1);
  if (smaller instanceof Leaf && branch.children.length === 1) return smaller;
  return new Branch(branch.bitmap, branch.children.with(at, smaller));
}

function rawHash(node: Node): RawHash {
  return (node.hash ??= node instanceof Leaf ? hashLeaf(node) : hashBranch(node));
}

function hashLeaf({ type, stateKey, eventId }: Leaf): RawHash {
  const text = `leaf:${Buffer.byteLength(type)}:${type}${Buffer.byteLength(stateKey)}:${stateKey}${eventId}`;
  return hash('sha256', text, 'binary');
}

function hashBranch({ bitmap, children }: Branch): RawHash {
  const parts = [
    'branch:',
    String.fromCharCode(bitmap >>> 24, (bitmap >> 16) & 255, (bitmap >> 8) & 255, bitmap & 255),
  ];
  for (const child of children) parts.push(rawHash(child));
  return hash('sha256', Buffer.from(parts.join(''), 'latin1'), 'binary');
}

function* leavesOf(root: Node): Generator<Leaf, void, undefined> {
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node instanceof Leaf) yield node;
    else for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i] as Node);
  }
}

function* diffNodes(a: Node | undefined, b: Node | undefined): Generator<StateDifference, void, undefined> {
  const stack: [Node | undefined, Node | undefined][] = [[a, b]];
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const [before, after] = pair;
    if (before === after) continue;
    if (before instanceof Branch && after instanceof Branch) {
      if (rawHash(before) === rawHash(after)) continue;
      for (let slot = SLOTS - 1; slot >= 0; slot--) stack.push([childAt(before, slot), childAt(after, slot)]);
    } else {
      yield* diffLeaves(before, after);
    }
  }
}

/** The differences of two subtrees of which one at least is a leaf or nothing. */
function* diffLeaves(before: Node | undefined, after: Node | undefined): Generator<StateDifference, void, undefined> {
  const single = before instanceof Leaf ? before : after instanceof Leaf ? after : undefined;
  const many = single === before ? after : before;
  const forwards = many === after;
  let partner: Leaf | undefined;
  if (many !== undefined) {
    for (const leaf of leavesOf(many)) {
      if (single !== undefined && leaf.stateKey === single.stateKey && leaf.type === single.type) partner = leaf;
      else yield difference(leaf, forwards ? undefined : leaf.eventId, forwards ? leaf.eventId : undefined);
    }
  }
  if (single === undefined || single.eventId === partner?.eventId) return;
  yield difference(single, forwards ? single.eventId : partner?.eventId, forwards ? partner?.eventId : single.eventId);
}

function difference(
  { type, stateKey }: Leaf,
  before: EventId | undefined,
  after: EventId | undefined,
): StateDifference {
  return { type, stateKey, before, after };
}
