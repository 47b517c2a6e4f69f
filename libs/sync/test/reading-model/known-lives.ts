import type { Life, Step } from './life.js';

const plain = { joinRule: 'public', version: '12', users: 4, seed: 1 } as const;

/** Each of some looks a few times: so connections go on from where they were. */
const looks = (...users: readonly number[]): readonly Step[] =>
  users.flatMap((who) => Array.from({ length: 3 }, (_, seed) => ({ do: 'look', who, seed }) as const));

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
    // Who was kicked, who left, who knocks and who forgot are invited by somebody whom they ignore, and do not always.
    visibility: 'shared',
    joinRule: 'knock',
    users: 5,
    steps: [
      ...[1, 2, 4].flatMap((who) => [{ do: 'invite', who: 0, whom: who } as const, { do: 'join', who } as const]),
      { do: 'name', who: 0 },
      ...looks(1, 2, 4),
      { do: 'kick', who: 0, whom: 1 },
      { do: 'leave', who: 2 },
      { do: 'knock', who: 3 },
      { do: 'kick', who: 0, whom: 4 },
      { do: 'forget', who: 4 },
      ...looks(1, 2, 3, 4),
      ...[1, 2, 3, 4].map((who) => ({ do: 'ignore', who, whom: 0 }) as const),
      ...[1, 2, 3, 4].map((whom) => ({ do: 'invite', who: 0, whom }) as const),
      { do: 'say', who: 0 },
      ...looks(1, 2, 3, 4),
      ...[1, 2, 3, 4].map((who) => ({ do: 'heed', who, whom: 0 }) as const),
      ...looks(1, 2, 3, 4),
      ...[1, 2, 3, 4].map((who) => ({ do: 'ignore', who, whom: 0 }) as const),
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
  {
    ...plain,
    // Something is said of how somebody was put out, while everybody could still read it.
    visibility: 'world_readable',
    users: 3,
    steps: [
      { do: 'join', who: 2 },
      { do: 'ban', who: 0, whom: 2 },
      { do: 'react', who: 0, event: 0 },
      { do: 'visibility', who: 0, value: 'shared' },
    ],
    seed: 0,
  },
  {
    ...plain,
    // Messages are edited: before somebody comes, after somebody left, by others, again, and an edit is redacted.
    visibility: 'joined',
    steps: [
      { do: 'join', who: 1 },
      { do: 'join', who: 2 },
      { do: 'say', who: 0 },
      { do: 'say', who: 1 },
      { do: 'edit', who: 1, event: 0 },
      { do: 'edit', who: 2, event: 0 },
      { do: 'leave', who: 2 },
      { do: 'edit', who: 0, event: 4 },
      ...looks(0, 1, 2),
      { do: 'join', who: 3 },
      { do: 'say', who: 1 },
      { do: 'edit', who: 1, event: 4 },
      { do: 'edit', who: 1, event: 1 },
      ...looks(2, 3),
      { do: 'redact', who: 1, event: 0 },
      { do: 'ignore', who: 0, whom: 1 },
    ],
  },
];
