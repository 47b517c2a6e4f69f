import { expect } from 'vitest';
import { numbersFrom } from '#testing/numbers-from';
import { path as pathIn } from '../three-users.js';
import { awaitSameState, Member, type StateDictionary } from './member.js';
import type { Federating } from './other-server.js';

const ACTIONS_OF_ROUND = 4;
const KEYS = ['red', 'green', 'blue'];

/** A room of several servers whose lines are cut and mended while their users go on, as numbers decide that come from a seed. */
export class Divided {
  /** What keepers did: every server takes it, whatever it has heard by then, for nobody ever takes their power. */
  readonly #accepted: string[] = [];
  #count = 0;

  private constructor(
    private readonly room: string,
    /** One of each server, with all power. */
    private readonly keepers: readonly Member[],
    /** One of each, whose power changes, and who are put out and come back. */
    private readonly guests: readonly Member[],
    private readonly numbers: (below: number) => number,
  ) {}

  private static async begin(
    version: string,
    keepers: readonly Member[],
    guests: readonly Member[],
    numbers: (below: number) => number,
  ): Promise<Divided> {
    const [first, ...others] = keepers;
    // From version 12 on whoever made the room is above all, and is not named.
    const named = version === '12' ? others : keepers;
    const users = Object.fromEntries(named.map(({ id }) => [id, 100]));
    const room = await first!.create(version, { power_level_content_override: { users } });
    for (const member of [...others, ...guests]) await member.join(room, first!);
    await awaitSameState(room, first!, ...others);
    return new Divided(room, keepers, guests, numbers);
  }

  /** A room of some servers, each with a keeper and a guest, whose lines are cut and mended so many times over; they have met again then. */
  static async goThrough(
    servers: readonly Federating[],
    { seed, version, rounds }: { readonly seed: number; readonly version: string; readonly rounds: number },
  ): Promise<Divided> {
    const at = (name: string) => Promise.all(servers.map((server, i) => Member.at(server, `${name}${i}-${seed}`)));
    const room = await Divided.begin(version, await at('keeper'), await at('guest'), numbersFrom(seed));
    for (let round = 0; round < rounds; round++) {
      // First nobody reaches anybody; later some do, and some are reached and reach nobody.
      room.#cutSome(round === 0);
      await room.#goOn();
      room.#mendSome();
      await room.#goOn();
    }
    for (const { server } of room.keepers) server.line.mend();
    await room.#meet();
    return room;
  }

  /** Cuts the lines to some servers; they reach those whose lines are whole. */
  #cutSome(isAll: boolean): void {
    for (const { server } of this.keepers) if (isAll || this.numbers(3) < 2) server.line.cut();
  }

  #mendSome(): void {
    for (const { server } of this.keepers) if (this.numbers(2) === 0) server.line.mend();
  }

  /** Users of all servers do something, side by side. */
  async #goOn(): Promise<void> {
    const servers = this.keepers.map(async (keeper, i) => {
      for (let action = 0; action < ACTIONS_OF_ROUND; action++) {
        if (this.numbers(3) === 0) await this.#guestActs(this.guests[i]!);
        else this.#accepted.push(await this.#keeperActs(keeper));
      }
    });
    await Promise.all(servers);
  }

  /** Waits until every server has what was done, and what is said then has merged all ends. */
  async #meet(): Promise<void> {
    for (const keeper of this.keepers) this.#accepted.push(await keeper.say(this.room, 'we meet again'));
    await this.#awaitAll();
    for (const keeper of this.keepers) {
      this.#accepted.push(await keeper.say(this.room, 'all of it is here'));
      await this.#awaitAll();
    }
  }

  /** The state is the same on all now. */
  async expectSameState(): Promise<void> {
    const [first, ...others] = this.keepers;
    await awaitSameState(this.room, first!, ...others);
  }

  /** The state is the same on all, now and at everything that all have. */
  async expectSameEverywhere(): Promise<void> {
    await this.expectSameState();
    for (const eventId of this.#accepted) {
      const told = await Promise.all(this.keepers.map((keeper) => this.#stateAt(keeper, eventId)));
      const [state, ...same] = await this.#withoutHidden(told);
      for (const one of same) expect({ eventId, state: one }).toEqual({ eventId, state });
    }
  }

  async #keeperActs(keeper: Member): Promise<string> {
    const name = `${keeper.id} ${this.#count++}`;
    const guest = this.#oneOf(this.guests);
    switch (this.numbers(7)) {
      case 0:
        return keeper.setState(this.room, 'm.room.topic', { topic: name });
      case 1:
        return keeper.setState(this.room, 'org.example.colour', { name }, this.#oneOf(KEYS));
      case 2:
        return keeper.setPower(this.room, guest, this.#oneOf([0, 50, 60]));
      case 3:
        return keeper.setState(this.room, 'm.room.join_rules', { join_rule: this.#oneOf(['public', 'invite']), name });
      case 4:
        return this.#put(keeper, guest, this.#oneOf(['leave', 'ban', 'invite']));
      default:
        return keeper.say(this.room, name);
    }
  }

  /**
   * By the state itself, for what it answers is the event. Who cannot be put there because of what they are now is spoken of, and so is
   * who is invited: that counts on no server that has heard by then that they are in.
   */
  async #put(keeper: Member, guest: Member, membership: string): Promise<string> {
    const path = pathIn(this.room, 'state', 'm.room.member', guest.id);
    const { status, body } = await keeper.request('PUT', path, { membership });
    const counts = status === 200 && membership !== 'invite';
    return counts ? body.event_id : keeper.say(this.room, `${guest.id}: ${membership}, ${status}`);
  }

  /** What guests do counts on a server only where it has not heard by then that they may not: it may be refused, here too. */
  async #guestActs(guest: Member): Promise<void> {
    const content = { name: `${guest.id} ${this.#count++}` };
    const path = (...parts: string[]): string => pathIn(this.room, ...parts);
    switch (this.numbers(4)) {
      case 0:
        return void (await guest.request('PUT', path('state', 'm.room.topic', ''), { topic: content.name }));
      case 1:
        return void (await guest.request('PUT', path('state', 'org.example.colour', this.#oneOf(KEYS)), content));
      case 2:
        return void (await guest.request('POST', path('join'), {}));
      default:
        return void (await guest.request('POST', path('leave'), {}));
    }
  }

  #oneOf<T>(choices: readonly T[]): T {
    return choices[this.numbers(choices.length)]!;
  }

  async #awaitAll(): Promise<void> {
    const lacking = async (): Promise<string[]> => {
      const asked = this.keepers.flatMap((keeper) =>
        this.#accepted.map(async (eventId) => {
          const path = pathIn(this.room, 'event', eventId);
          const { status } = await keeper.request('GET', path);
          return status === 200 ? [] : [`${eventId} at ${keeper.id}`];
        }),
      );
      return (await Promise.all(asked)).flat();
    };
    await expect.poll(lacking, { interval: 500, timeout: 120_000 }).toEqual([]);
  }

  /** No client is shown what failed softly, also not as a part of a state: what some server does not show is looked for at none. */
  async #withoutHidden(states: readonly StateDictionary[]): Promise<StateDictionary[]> {
    const ids = new Set(states.flatMap((state) => Object.values(state)));
    for (const eventId of ids) {
      const isInAll = states.every((state) => Object.values(state).includes(eventId));
      if (isInAll || (await this.#isShownEverywhere(eventId))) ids.delete(eventId);
    }
    return states.map((state) => Object.fromEntries(Object.entries(state).filter(([, eventId]) => !ids.has(eventId))));
  }

  async #isShownEverywhere(eventId: string): Promise<boolean> {
    const path = pathIn(this.room, 'event', eventId);
    const answers = await Promise.all(this.keepers.map((keeper) => keeper.request('GET', path)));
    return answers.every(({ status }) => status === 200);
  }

  async #stateAt(keeper: Member, eventId: string): Promise<StateDictionary> {
    const { state } = await keeper.ok('GET', `${pathIn(this.room, 'context', eventId)}?limit=0`);
    const entries = (state as { type: string; state_key: string; event_id: string }[]).map(
      (event): [string, string] => [`${event.type}|${event.state_key}`, event.event_id],
    );
    return Object.fromEntries(entries);
  }
}
