import type { Life } from './life.js';

const plain = { joinRule: 'public', version: '12', users: 4, seed: 1 } as const;

/** Lives that chance seldom makes, and that must be lived in any case. */
export const KNOWN_LIVES: readonly Life[] = [
  {
    ...plain,
    // Somebody is erased; one reader was there, one comes later, one is invited.
    visibility: 'shared',
    steps: [
      { do: 'join', who: 1 },
      { do: 'join', who: 2 },
      { do: 'say', who: 1 },
      { do: 'topic', who: 1 },
      { do: 'answer in thread', who: 1, event: 1 },
      { do: 'deactivate', who: 1, erase: true },
      { do: 'join', who: 3 },
      { do: 'say', who: 3 },
    ],
  },
  {
    ...plain,
    // Who is ignored speaks, types, reads, changes the room and invites.
    visibility: 'joined',
    steps: [
      { do: 'join', who: 1 },
      { do: 'join', who: 2 },
      { do: 'ignore', who: 2, whom: 0 },
      { do: 'ignore', who: 3, whom: 0 },
      { do: 'ignore', who: 1, whom: 1 },
      { do: 'say', who: 0 },
      { do: 'say', who: 1 },
      { do: 'topic', who: 0 },
      { do: 'type', who: 0 },
      { do: 'read', who: 0, event: 2 },
      { do: 'invite', who: 0, whom: 3 },
      { do: 'redact', who: 0, event: 4 },
    ],
  },
  {
    ...plain,
    // A stay ends, and things go on with who left: a ban, a pardon, a knock, and an invitation that is taken back.
    visibility: 'shared',
    joinRule: 'knock',
    steps: [
      { do: 'invite', who: 0, whom: 1 },
      { do: 'join', who: 1 },
      { do: 'say', who: 0 },
      { do: 'kick', who: 0, whom: 1 },
      { do: 'topic', who: 0 },
      { do: 'knock', who: 1 },
      { do: 'look', who: 1, seed: 1 },
      { do: 'kick', who: 0, whom: 1 },
      { do: 'ban', who: 0, whom: 1 },
      { do: 'say', who: 0 },
      { do: 'look', who: 1, seed: 2 },
      { do: 'unban', who: 0, whom: 1 },
      { do: 'invite', who: 0, whom: 1 },
      { do: 'topic', who: 0 },
      { do: 'kick', who: 0, whom: 1 },
      { do: 'forget', who: 1 },
    ],
  },
];
