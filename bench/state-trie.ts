import type { EventId } from '#kernel/ids';
import { type StateEntry, trieOf } from '#protocol/state-trie/state-trie';
import { measure } from './measure.js';

const MEMBERS = 100_000;

/**
 * Why a branch of the state trie keeps the hashes of its children side by side: what one change and its root cost in a room
 * of 100,000 members, beside the root of a trie whose branches know nothing yet. Answers lines of text, microseconds each.
 */
export function benchStateTrie(): string[] {
  const members = Array.from({ length: MEMBERS }, (_, i) => memberOf(i, 'first'));
  let trie = trieOf(members);
  let changes = 0;
  const change = () => {
    const { type, stateKey, eventId } = memberOf((changes * 7) % MEMBERS, String(changes));
    changes++;
    trie = trie.set(type, stateKey, eventId);
    return trie;
  };
  const changeMany = () =>
    trie.change(Array.from({ length: 1_000 }, () => memberOf((changes++ * 7) % MEMBERS, 'once')));
  const small = members.slice(0, 1_000);
  return [
    measure('set and rootHash, 100,000 entries', () => change().rootHash),
    measure('set, 100,000 entries', change),
    measure('1,000 set at once and rootHash, 100,000 entries', () => changeMany().rootHash),
    measure('get, 100,000 entries', () => trie.get('m.room.member', '@user77:example.org')),
    measure('trieOf and rootHash, 1,000 entries', () => trieOf(small).rootHash),
  ];
}

function memberOf(i: number, change: string): StateEntry {
  const eventId = `$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-${i}-${change}` as EventId;
  return { type: 'm.room.member', stateKey: `@user${i}:example.org`, eventId };
}
