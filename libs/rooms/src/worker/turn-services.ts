import type { EventStore } from '#event-store/event-store';
import type { Clock } from '#kernel/clock';
import type { EventAuthor } from '../decide/decide-event.js';
import type { GraphSources } from '../graph/recent-graph.js';
import type { Policy } from '../room-policy.js';

/** What a turn needs besides the room. */
export interface TurnServices {
  readonly store: EventStore;
  readonly author: EventAuthor;
  readonly clock: Clock;
  /** The graph of the room is read there. */
  readonly views: GraphSources['views'];
  /** Asked for each event of ours before it is appended, and for those of others. */
  readonly policy?: Policy | undefined;
}
