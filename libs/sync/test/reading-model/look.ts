import { roomPath, type SyncAnswer, type SyncUser } from '#testing/sync-app';
import { Difference, expectOneOf, expectSame, type Words } from './assert.js';
import { numbersFrom } from '#testing/numbers-from';
import type { LivingRoom } from './living-room.js';
import { ReaderModel } from './reader-model.js';
import type { ModelEvent, ModelState } from './room-model.js';

/** An event as an answer has it. */
export type ToldEvent = Readonly<Record<string, unknown>>;

/** The forms of events: of today, and of 2015. */
export type Dialect = 'today' | 'v1';

/** One reader who looks at one room by all ways there are. */
export class Look {
  readonly reader: ReaderModel;
  readonly number: (below: number) => number;

  constructor(
    readonly living: LivingRoom,
    readonly user: SyncUser,
    seed: number,
  ) {
    this.reader = new ReaderModel(living.world, living.room, user.userId);
    this.number = numbersFrom(seed);
  }

  get path(): string {
    return roomPath(this.living.room.roomId);
  }

  /** Asks by one of the doors; a path below the room's. */
  async ask(dialect: Dialect, path: string): Promise<SyncAnswer> {
    return dialect === 'v1' ? this.user.v1('GET', path) : this.user.call('GET', path);
  }

  /** Asks for what must not be had; any refusal will do. */
  expectRefused(what: Words, { status, body }: SyncAnswer): void {
    if (status !== 403 && status !== 404) throw new Difference(what, `was answered: ${status} ${JSON.stringify(body)}`);
  }

  expectAnswered(what: Words, { status, body }: SyncAnswer): void {
    if (status !== 200) throw new Difference(what, `was answered: ${status} ${JSON.stringify(body)}`, 'should be: 200');
  }

  /**
   * The model's event for one that was told; whatever the reader may not be told is a leak. A brief one (in the state sections
   * of /sync, or within another event) need not say what was before it, nor what redacted it.
   */
  checkTold(what: Words, told: ToldEvent, dialect: Dialect = 'today', isBrief = false): ModelEvent {
    const { reader } = this;
    const event = reader.room.find(String(told['event_id']));
    if (event === undefined) throw new Difference(what, `tells of an event of nowhere: ${JSON.stringify(told)}`);
    const name = (): string => `${wordsOf(what)} tells of event ${describeEvent(event)}`;
    if (!reader.mayBeTold(event) && !(isBrief && reader.isReplacedInSight(event)))
      throw new Difference(name, `is not for ${reader.userId}`);
    expectSame(name, told['type'], event.type);
    expectSame(name, dialect === 'v1' ? told['user_id'] : told['sender'], event.sender);
    expectSame(name, told['state_key'], event.stateKey);
    expectOneOf(() => `${name()}: its content`, told['content'], reader.contentsOf(event));
    this.#checkUnsigned(
      name,
      event,
      (dialect === 'v1' ? told : (told['unsigned'] ?? {})) as ToldEvent,
      dialect,
      isBrief,
    );
    return event;
  }

  #checkUnsigned(name: () => string, event: ModelEvent, unsigned: ToldEvent, dialect: Dialect, isBrief: boolean): void {
    const { reader } = this;
    this.#checkBefore(() => `${name()}: what was before`, event, unsigned, isBrief);
    const redactions = reader.room.redactionsOf(event.id);
    const because = unsigned['redacted_because'] as ToldEvent | undefined;
    if (because !== undefined) {
      expectOneOf(
        name,
        because['event_id'],
        redactions.map(({ id }) => id),
      );
      this.checkTold(() => `${name()}: what redacted it`, because, dialect, true);
    } else if (!isBrief && redactions.length > 0 && redactions.every((it) => reader.maySee(it) === 'yes')) {
      throw new Difference(name, 'and does not say what redacted it');
    }
    if (unsigned['membership'] !== undefined && !reader.isClosed()) {
      const places = reader.isOwnMemberEvent(event) ? [event.index, event.index - 1] : [event.index];
      const memberships = places.map((index) => reader.room.membershipAfter(reader.userId, index));
      expectOneOf(() => `${name()}: what the reader was then`, unsigned['membership'], memberships);
    }
    for (const bundled of eventsWithin(unsigned['m.relations'])) {
      this.checkTold(() => `${name()}: its relations`, bundled, dialect);
    }
  }

  /** "`prev_content`: […] only present if the client has permission to see the previous event." */
  #checkBefore(what: () => string, event: ModelEvent, unsigned: ToldEvent, isBrief: boolean): void {
    const { reader } = this;
    const before = reader.room.replacedBy(event);
    const told = unsigned['prev_content'];
    expectOneOf(what, unsigned['replaces_state'], [undefined, before?.id]);
    // An invitation by who is ignored is not sent, but it is no secret either.
    const isOpen = before !== undefined && reader.isIgnored(before) && reader.isAllowed(before);
    const verdict = before === undefined ? 'no' : isOpen ? 'maybe' : reader.maySee(before);
    if (verdict === 'no' || before === undefined) expectSame(what, told, undefined);
    else if (told !== undefined || (verdict === 'yes' && !isBrief)) expectOneOf(what, told, reader.contentsOf(before));
  }

  /** A list of events that must be these, in this order. */
  checkList(
    what: Words,
    told: readonly ToldEvent[],
    expected: readonly ModelEvent[],
    dialect: Dialect = 'today',
  ): void {
    const found = told.map((event) => this.checkTold(what, event, dialect));
    expectEvents(what, found, expected);
  }

  /**
   * A page of at most so many events, of these that there are in its direction. What is optional may be among them, in its
   * place.
   */
  checkPage(
    what: Words,
    told: readonly ToldEvent[],
    all: readonly ModelEvent[],
    limit: number,
    dialect: Dialect = 'today',
  ): void {
    const { reader } = this;
    const found = told.map((event) => this.checkTold(what, event, dialect));
    // To who has forgotten the room it is left open what they see of it.
    if (reader.isClosed()) return;
    const shown = found.filter((event) => all.includes(event) || !reader.isOptional(event));
    expectEvents(what, shown, all.slice(0, shown.length));
    const isWhole = shown.length === all.length || found.length >= limit;
    if (!isWhole) expectEvents(what, shown, all);
    if (found.length > limit) throw new Difference(what, `has ${found.length} events, not ${limit}`);
    const sign = Math.sign((found[1]?.index ?? 0) - (found[0]?.index ?? 0));
    const inOrder = found.every(({ index }, i) => i === 0 || Math.sign(index - found[i - 1]!.index) === sign);
    if (!inOrder) throw new Difference(what, `out of order: ${found.map(({ index }) => index).join()}`);
  }

  /** A list of state events that must be this state. */
  checkState(what: Words, told: readonly ToldEvent[], expected: ModelState, dialect: Dialect = 'today'): void {
    const found = told.map((event) => this.checkTold(what, event, dialect));
    const inOrder = (events: Iterable<ModelEvent>): ModelEvent[] => [...events].sort((a, b) => a.index - b.index);
    expectEvents(what, inOrder(found), inOrder(expected.values()));
  }
}

function wordsOf(what: Words): string {
  return typeof what === 'string' ? what : what();
}

/** Holds that events are these, in this order. */
export function expectEvents(what: Words, found: readonly ModelEvent[], expected: readonly ModelEvent[]): void {
  if (found.length === expected.length && found.every((event, i) => event === expected[i])) return;
  expectSame(what, found.map(describeEvent), expected.map(describeEvent));
}

/** An event in words, for who reads a failure. */
export function describeEvent({ index, type, stateKey, sender, content }: ModelEvent): string {
  const key = stateKey === undefined ? '' : ` [${stateKey}]`;
  return `#${index} ${type}${key} by ${sender} ${JSON.stringify(content['membership'] ?? content['body'] ?? content['history_visibility'] ?? content['topic'] ?? '')}`;
}

/** All that looks like an event inside of bundled relations. */
function eventsWithin(value: unknown): ToldEvent[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('event_id' in value && 'content' in value) return [value as ToldEvent];
  return Object.values(value).flatMap(eventsWithin);
}
