import type { ServerResponse } from 'node:http';
import { type ForeignEvent, idOf, type Json } from './foreign-events.js';
import { type Call, HostileServer } from './hostile-server.js';

type Kind = 'join' | 'knock' | 'leave';

/** A room of version 10 of a server that is no Annals, which lets users of others in as it should, unless it is told to do otherwise. */
export class HostedRoom {
  readonly roomId: string;
  readonly maker: string;
  /** What it does with an event that it took: answers by default. */
  answerSent: (kind: Kind, answer: Json, response: ServerResponse) => Json | [number, Json] | undefined = (_, answer) =>
    answer;
  /** Whether it makes events for others. */
  isAwake = true;
  readonly #first: readonly ForeignEvent[];
  readonly #members = new Map<string, ForeignEvent>();
  /** Each event that it took, in order. */
  readonly taken: ForeignEvent[] = [];
  #tip: { readonly id: string; readonly depth: number };

  constructor(
    private readonly host: HostileServer,
    localpart: string,
    joinRule = 'public',
  ) {
    this.roomId = `!${localpart}:${host.name}`;
    this.maker = `@mallory:${host.name}`;
    const event = (type: string, content: Json, auth: readonly ForeignEvent[], stateKey = ''): ForeignEvent =>
      this.#seal({ type, state_key: stateKey, content }, auth, auth.at(-1)?.id, auth.length);
    const create = event('m.room.create', { creator: this.maker, room_version: '10' }, []);
    const member = event('m.room.member', { membership: 'join' }, [create], this.maker);
    const levels = event('m.room.power_levels', { users: { [this.maker]: 100 } }, [create, member]);
    const rules = event('m.room.join_rules', { join_rule: joinRule }, [create, member, levels]);
    this.#first = [create, member, levels, rules];
    this.#members.set(this.maker, member);
    this.#tip = { id: rules.id, depth: 4 };
    for (const kind of ['join', 'knock', 'leave'] as const) this.#serve(kind);
  }

  membershipOf(user: string): string | undefined {
    const { pdu } = this.#members.get(user) ?? {};
    return (pdu?.['content'] as Json | undefined)?.['membership'] as string | undefined;
  }

  /** An invitation by its maker, or by somebody else. */
  invite(user: string, more: Json = {}): ForeignEvent {
    const [create, member, levels, rules] = this.#first as [ForeignEvent, ForeignEvent, ForeignEvent, ForeignEvent];
    const draft = { type: 'm.room.member', state_key: user, content: { membership: 'invite' }, ...more };
    const invite = this.#seal(draft, [create, member, levels, rules], this.#tip.id, this.#tip.depth);
    this.#note(user, invite);
    return invite;
  }

  #note(user: string, event: ForeignEvent): void {
    this.#members.set(user, event);
    this.#tip = { id: event.id, depth: Number(event.pdu['depth']) };
  }

  #serve(kind: Kind): void {
    const room = encodeURIComponent(this.roomId);
    this.host.on(`/_matrix/federation/v1/make_${kind}/${escaped(room)}/.*`, ({ path }) => {
      if (!this.isAwake) return [503, { errcode: 'M_UNKNOWN', error: 'Not now' }];
      const user = decodeURIComponent(path.split('?')[0]!.split('/').at(-1)!);
      const was = this.membershipOf(user);
      if (kind === 'leave' && (was === undefined || was === 'leave')) {
        return [403, { errcode: 'M_FORBIDDEN', error: 'The user is not in the room' }];
      }
      const [create, , levels, rules] = this.#first;
      const own = this.#members.get(user);
      const auth = [create!, levels!, ...(kind === 'leave' ? [] : [rules!]), ...(own === undefined ? [] : [own])];
      const event = {
        type: 'm.room.member',
        room_id: this.roomId,
        sender: user,
        state_key: user,
        content: { membership: kind },
        depth: this.#tip.depth + 1,
        prev_events: [this.#tip.id],
        auth_events: auth.map(({ id }) => id),
      };
      return { room_version: '10', event };
    });
    this.host.on(`/_matrix/federation/v2/send_${kind}/${escaped(room)}/.*`, (call, response) =>
      this.#take(kind, call, response),
    );
    this.host.on(`/_matrix/federation/v1/send_${kind}/${escaped(room)}/.*`, (call, response) =>
      this.#take(kind, call, response),
    );
  }

  #take(kind: Kind, { body }: Call, response: ServerResponse): Json | [number, Json] | undefined {
    const pdu = body as Json;
    const event = { id: idOf(pdu), pdu };
    const before = [...this.#first.filter(({ pdu: { type } }) => type !== 'm.room.member'), ...this.#members.values()];
    if (!this.taken.some(({ id }) => id === event.id)) {
      this.taken.push(event);
      this.#note(String(pdu['sender']), event);
    }
    const others = before.filter(({ id }) => id !== event.id).map((one) => one.pdu);
    const chain = this.#first.map((one) => one.pdu);
    const told = kind === 'knock' ? { knock_room_state: chain } : {};
    return this.answerSent(kind, kind === 'join' ? { state: others, auth_chain: chain, event: pdu } : told, response);
  }

  #seal(draft: Json, auth: readonly ForeignEvent[], prev: string | undefined, depth: number): ForeignEvent {
    return this.host.seal({
      room_id: this.roomId,
      sender: this.maker,
      depth: depth + 1,
      prev_events: prev === undefined ? [] : [prev],
      auth_events: auth.map(({ id }) => id),
      ...draft,
    });
  }
}

/** A text as a pattern that matches it alone. */
function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
