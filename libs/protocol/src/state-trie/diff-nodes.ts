import type { EventId } from '#kernel/ids';
import { rawHash } from './hash-node.js';
import { Branch, childAt, Leaf, leavesOf, type Node, SLOTS, type TrieKey } from './trie-node.js';

/** A key at which two states differ; undefined on the side that has no such entry. */
export interface StateDifference extends TrieKey {
  readonly before: EventId | undefined;
  readonly after: EventId | undefined;
}

/** The keys at which two subtrees differ, in order of their paths. */
export function* diffNodes(a: Node | undefined, b: Node | undefined): Generator<StateDifference, void, undefined> {
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
  { type, stateKey, path }: Leaf,
  before: EventId | undefined,
  after: EventId | undefined,
): StateDifference {
  return { type, stateKey, path, before, after };
}
