import { hash } from 'node:crypto';
import {
  Branch,
  countBits,
  HASH_CHARS,
  indexOf,
  Leaf,
  type Node,
  type RawHash,
  SLOTS,
  spliceHash,
} from './trie-node.js';

const BRANCH_HEADER = 'branch:';
const EMPTY_BRANCH = new Branch(0, [], '', 0);

/** The hash of a subtree, undefined being the empty one, as state-trie.ts defines it. Each branch remembers its own. */
export function rawHash(node: Node | undefined = EMPTY_BRANCH): RawHash {
  return node instanceof Leaf ? hashLeaf(node) : (node.hash ??= hashBranch(node));
}

function hashLeaf({ type, stateKey, eventId }: Leaf): RawHash {
  const text = `leaf:${Buffer.byteLength(type)}:${type}${Buffer.byteLength(stateKey)}:${stateKey}${eventId}`;
  return hash('sha256', text, 'binary');
}

function hashBranch(branch: Branch): RawHash {
  const { bitmap } = branch;
  branch.hashes = joinHashes(branch);
  branch.stale = 0;
  const bytes = Buffer.allocUnsafe(BRANCH_HEADER.length + 4 + branch.hashes.length);
  bytes.write(BRANCH_HEADER, 'latin1');
  bytes.writeInt32BE(bitmap, BRANCH_HEADER.length);
  bytes.write(branch.hashes, BRANCH_HEADER.length + 4, 'latin1');
  return hash('sha256', bytes, 'binary');
}

function joinHashes({ bitmap, children, hashes, stale }: Branch): string {
  if (hashes === undefined) return children.map(rawHash).join('');
  if (countBits(stale) === 1) {
    const at = indexOf(bitmap, 31 - Math.clz32(stale));
    return spliceHash(hashes, at, 1, rawHash(children[at] as Node)) as string;
  }
  const parts: string[] = [];
  for (let slot = 0, at = 0; slot < SLOTS; slot++) {
    const bit = 1 << slot;
    if ((bitmap & bit) === 0) continue;
    const isStale = (stale & bit) !== 0;
    parts.push(isStale ? rawHash(children[at] as Node) : hashes.slice(at * HASH_CHARS, (at + 1) * HASH_CHARS));
    at++;
  }
  return parts.join('');
}
