import type { Answer, Client } from '../homeserver.js';

type Body = Answer['body'];

const WITHIN_MS = 60_000;
const POLL_MS = 5000;
const FILTER = JSON.stringify({ room: { timeline: { limit: 200 } } });

/** What a client was told of a room. */
export interface FollowedRoom {
  /** Where it was in the last answer: `join`, `invite`, `knock` or `leave`. */
  membership: string;
  /** In the order they came, none twice. */
  readonly timeline: Body[];
  /** By type and state key. */
  readonly state: Map<string, Body>;
  readonly ephemeral: Body[];
}

/** What /sync tells a client, put together: it is asked for when a condition is waited for. */
export class Followed {
  readonly rooms = new Map<string, FollowedRoom>();
  readonly presence: Body[] = [];
  readonly toDevice: Body[] = [];
  readonly devicesChanged: string[] = [];
  #since: string | undefined;

  constructor(private readonly client: Client) {}

  room(roomId: string): FollowedRoom {
    const known = this.rooms.get(roomId);
    if (known !== undefined) return known;
    const room = { membership: 'none', timeline: [], state: new Map(), ephemeral: [] };
    this.rooms.set(roomId, room);
    return room;
  }

  /** Follows until a condition holds, and answers what it answers; throws what was told where that takes too long. */
  async until<T>(what: string, condition: (followed: this) => T | undefined | false): Promise<T> {
    const deadline = Date.now() + WITHIN_MS;
    for (;;) {
      const answer = condition(this);
      if (answer !== undefined && answer !== false) return answer;
      if (Date.now() > deadline) throw new Error(`${this.client.userId} was not told ${what}, but: ${this.#told()}`);
      await this.#poll();
    }
  }

  /** Follows until a room is told to be where it is expected. */
  async untilIn(roomId: string, membership: string): Promise<void> {
    await this.until(`${membership} of ${roomId}`, () => this.room(roomId).membership === membership);
  }

  /** Follows until somebody is told to be in a room, or out of it, as expected. */
  async untilMember(roomId: string, userId: string, membership: string): Promise<void> {
    const condition = (): boolean =>
      this.room(roomId).state.get(`m.room.member|${userId}`)?.content.membership === membership;
    await this.until(`${membership} of ${userId} in ${roomId}`, condition);
  }

  /** Follows until an event is told; answers it. */
  untilTold(roomId: string, eventId: string): Promise<Body> {
    return this.until(eventId, () => this.room(roomId).timeline.find(({ event_id }) => event_id === eventId));
  }

  async #poll(): Promise<void> {
    const filter = { filter: FILTER };
    const query = this.#since === undefined ? filter : { ...filter, since: this.#since, timeout: POLL_MS };
    const answer = await this.client.sync(query);
    this.#since = answer.next_batch;
    this.presence.push(...(answer.presence?.events ?? []));
    this.toDevice.push(...(answer.to_device?.events ?? []));
    this.devicesChanged.push(...(answer.device_lists?.changed ?? []));
    for (const [membership, rooms] of Object.entries<Record<string, Body>>(answer.rooms ?? {})) {
      for (const [roomId, told] of Object.entries(rooms)) this.#take(this.room(roomId), membership, told);
    }
  }

  #take(room: FollowedRoom, membership: string, told: Body): void {
    room.membership = membership;
    const stripped = told.invite_state?.events ?? told.knock_state?.events ?? [];
    const timeline: Body[] = told.timeline?.events ?? [];
    for (const event of [...stripped, ...(told.state?.events ?? []), ...timeline]) {
      if (event.state_key !== undefined) room.state.set(`${event.type}|${event.state_key}`, event);
    }
    for (const event of timeline) {
      if (!room.timeline.some(({ event_id }) => event_id === event.event_id)) room.timeline.push(event);
    }
    room.ephemeral.push(...(told.ephemeral?.events ?? []));
  }

  #told(): string {
    const rooms = [...this.rooms].map(([roomId, { membership, timeline }]) => {
      const last = timeline.slice(-10).map(({ event_id, type, sender }) => `${event_id} ${type} ${sender}`);
      return `${roomId} (${membership}): ${last.join(', ')}`;
    });
    return rooms.join('; ') || 'nothing';
  }
}
