import type { FindableThreepids } from '#accounts/reading/findable-threepids';
import { serverNameOf, type UserId } from '#kernel/ids';
import { keyOfAddress } from '../decide/known-book.js';
import type { Person } from '../decide/merge-contacts.js';
import type { Address, Match } from '../facts/contact-facts.js';

/** People with the users of this server that have their addresses, and let who asks find them by these. As of now: nothing of it is kept. */
export async function withOwnUsers(
  findable: Pick<FindableThreepids, 'find'>,
  people: readonly Person[],
  by: UserId,
): Promise<Person[]> {
  const addresses = new Map<string, Address>();
  for (const { threepids = [] } of people) for (const each of threepids) addresses.set(keyOfAddress(each), each);
  const asked = [...addresses.values()];
  const owners = await findable.find(asked, by);
  const found = new Map(asked.map((address, i) => [keyOfAddress(address), owners[i]]));
  return people.map((person) => withUsers(person, found, serverNameOf(by)));
}

function withUsers(person: Person, found: ReadonlyMap<string, UserId | undefined>, by: string): Person {
  const matches = (person.threepids ?? []).flatMap(({ medium, address }): Match[] => {
    const owner = found.get(keyOfAddress({ medium, address }));
    return owner === undefined ? [] : [{ medium, address, user_id: owner, by }];
  });
  if (matches.length === 0) return person;
  const userIds = new Set([...(person.user_ids ?? []), ...matches.map((match) => match.user_id)]);
  return { ...person, user_ids: [...userIds], matches: [...(person.matches ?? []), ...matches] };
}
