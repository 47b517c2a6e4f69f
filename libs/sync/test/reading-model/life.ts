import * as fc from 'fast-check';

/** One thing that happens in a life. Users are numbers: the first one made the room. */
export type Step =
  | { readonly do: 'join' | 'leave' | 'knock' | 'forget'; readonly who: number }
  | { readonly do: 'invite' | 'kick' | 'ban' | 'unban'; readonly who: number; readonly whom: number }
  | { readonly do: 'visibility'; readonly who: number; readonly value: string }
  | { readonly do: 'join rule'; readonly who: number; readonly value: string }
  | { readonly do: 'say' | 'topic' | 'name' | 'rename'; readonly who: number }
  | {
      readonly do: 'redact' | 'edit' | 'react' | 'read' | 'read privately' | 'answer in thread';
      readonly who: number;
      readonly event: number;
    }
  | { readonly do: 'ignore' | 'heed'; readonly who: number; readonly whom: number }
  | { readonly do: 'type' | 'stop typing'; readonly who: number }
  | { readonly do: 'deactivate'; readonly who: number; readonly erase: boolean }
  | { readonly do: 'look'; readonly who: number; readonly seed: number };

export interface Life {
  readonly visibility: string;
  readonly joinRule: string;
  readonly version: string;
  /** How many there are: steps of others are taken by one of these. */
  readonly users: number;
  readonly steps: readonly Step[];
  /** Of the looks in the end. */
  readonly seed: number;
}

const MOST_USERS = 5;
const STEPS = 40;

const VISIBILITIES = ['shared', 'invited', 'joined', 'world_readable'];
const JOIN_RULES = ['public', 'public', 'knock', 'invite'];

const anybody = fc.nat(MOST_USERS - 1);
/** Mostly who made the room: others are refused much of what is done to others. */
const mighty = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: anybody });
const other = fc.integer({ min: 1, max: MOST_USERS - 1 });
const visibility = fc.constantFrom(...VISIBILITIES);
const joinRule = fc.constantFrom(...JOIN_RULES);
const event = fc.nat(11);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('join' as const), who: other }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('leave' as const, 'knock' as const, 'forget' as const),
      who: fc.oneof(other, anybody),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('invite' as const, 'invite' as const, 'kick' as const, 'ban' as const, 'unban' as const),
      who: mighty,
      whom: fc.oneof(other, anybody),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('visibility' as const), who: mighty, value: visibility }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('join rule' as const), who: mighty, value: joinRule }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'say' as const,
        'say' as const,
        'say' as const,
        'topic' as const,
        'name' as const,
        'rename' as const,
      ),
      who: anybody,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'redact' as const,
        'redact' as const,
        'edit' as const,
        'edit' as const,
        'react' as const,
        'read' as const,
        'read privately' as const,
        'answer in thread' as const,
      ),
      who: anybody,
      event,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('ignore' as const, 'ignore' as const, 'heed' as const),
      who: anybody,
      whom: anybody,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('type' as const, 'type' as const, 'stop typing' as const),
      who: anybody,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deactivate' as const), who: other, erase: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('look' as const), who: anybody, seed: fc.nat() }) },
);

/** A random life of a room. */
export const anyLife: fc.Arbitrary<Life> = fc.record({
  visibility,
  joinRule,
  version: fc.constantFrom('12', '11'),
  users: fc.constantFrom(3, 4, 4, 5),
  steps: fc.array(step, { maxLength: STEPS }),
  seed: fc.nat(),
});
