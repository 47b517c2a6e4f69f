import { expect } from 'vitest';
import { FederatingAnnals } from './federating-annals.js';
import type { Member } from './member.js';

/**
 * Holds what a member is told of what was said before they came, or while they were away. A server of ours has that at once; one of another make that is just fetching it
 * may say at first that there was nothing, as Synapse does.
 */
export async function expectTold(member: Member, tell: () => Promise<unknown>, expected: unknown): Promise<void> {
  if (member.server instanceof FederatingAnnals) expect(await tell()).toEqual(expected);
  else await expect.poll(tell).toEqual(expected);
}
