/** An event as the room's log has it, at its place in the order of the room. */
export interface ModelEvent {
  readonly index: number;
  readonly id: string;
  readonly type: string;
  readonly sender: string;
  /** Only of state events. */
  readonly stateKey: string | undefined;
  /** As it was sent. */
  readonly content: Content;
  readonly time: number;
  /** The event that it redacts. */
  readonly redacts: string | undefined;
}

export type Content = Readonly<Record<string, unknown>>;

/** The state of a room: by type and state key, joined by a space. */
export type ModelState = ReadonlyMap<string, ModelEvent>;

/** What redaction leaves of a content: room versions 11 and later, "Redactions". */
const KEPT: Readonly<Record<string, readonly string[] | 'all'>> = {
  'm.room.create': 'all',
  'm.room.member': ['membership', 'join_authorised_via_users_server'],
  'm.room.join_rules': ['join_rule', 'allow'],
  'm.room.power_levels': [
    'ban',
    'events',
    'events_default',
    'invite',
    'kick',
    'redact',
    'state_default',
    'users',
    'users_default',
  ],
  'm.room.history_visibility': ['history_visibility'],
  'm.room.redaction': ['redacts'],
};

/** A room as the specification speaks of it: its events one after another, and the state before and after each. */
export class RoomModel {
  readonly events: ModelEvent[] = [];
  readonly #states: ModelState[] = [];
  readonly #places = new Map<string, number>();
  readonly #redactions = new Map<string, ModelEvent[]>();

  constructor(readonly roomId: string) {}

  add(event: Omit<ModelEvent, 'index'>): void {
    const index = this.events.length;
    const placed = { ...event, index };
    this.events.push(placed);
    this.#places.set(event.id, index);
    const state = new Map(this.stateAfter(index - 1));
    if (event.stateKey !== undefined) state.set(stateName(event.type, event.stateKey), placed);
    this.#states.push(state);
    if (event.redacts !== undefined) this.#redactions.set(event.redacts, [...this.redactionsOf(event.redacts), placed]);
  }

  get length(): number {
    return this.events.length;
  }

  find(id: string): ModelEvent | undefined {
    const index = this.#places.get(id);
    return index === undefined ? undefined : this.events[index];
  }

  /** The state just after an event; before the first one there is none. */
  stateAfter(index: number): ModelState {
    return this.#states[index] ?? new Map();
  }

  /** What a user is just after an event: who was never heard of is outside. */
  membershipAfter(userId: string, index: number): string {
    return String(this.stateAfter(index).get(stateName('m.room.member', userId))?.content['membership'] ?? 'leave');
  }

  membership(userId: string): string {
    return this.membershipAfter(userId, this.length - 1);
  }

  /** "By default if no `history_visibility` is set, or if the value is not understood, the visibility is […] `shared`." */
  visibilityAfter(index: number): string {
    const value = this.stateAfter(index).get(stateName('m.room.history_visibility', ''))?.content['history_visibility'];
    return ['world_readable', 'invited', 'joined'].includes(String(value)) ? String(value) : 'shared';
  }

  visibility(): string {
    return this.visibilityAfter(this.length - 1);
  }

  /** What has redacted an event: it may be done more than once. */
  redactionsOf(id: string): readonly ModelEvent[] {
    return this.#redactions.get(id) ?? [];
  }

  isRedacted({ id }: ModelEvent): boolean {
    return this.#redactions.has(id);
  }

  /** The event that held the key of a state event before it. */
  replacedBy(event: ModelEvent): ModelEvent | undefined {
    if (event.stateKey === undefined) return undefined;
    return this.stateAfter(event.index - 1).get(stateName(event.type, event.stateKey));
  }
}

export function stateName(type: string, stateKey: string): string {
  return `${type} ${stateKey}`;
}

/** What is left of an event's content when it is redacted. */
export function redactedContent({ type, content }: ModelEvent): Content {
  const kept = KEPT[type] ?? [];
  if (kept === 'all') return content;
  return Object.fromEntries(Object.entries(content).filter(([key]) => kept.includes(key)));
}
