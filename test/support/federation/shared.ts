import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './federating-annals.js';
import { Member } from './member.js';
import type { OtherServer } from './other-server.js';

/** A server of another make, and which rooms it knows. */
export interface Peer {
  readonly name: string;
  readonly isThere: boolean;
  readonly versions: readonly string[];
  /** Those in which its clients are told of no redaction. */
  readonly withoutRedactions?: readonly string[];
  start(authority: TestAuthority): Promise<OtherServer>;
}

/** Who made a room, and who comes to it from the other server. */
export interface Pair {
  readonly maker: Member;
  readonly comer: Member;
}

/** A server of ours and one of another make, started once for a suite, with somebody on each. */
export class Shared {
  #ours: FederatingAnnals | undefined;
  #other: OtherServer | undefined;
  #alice: Member | undefined;
  #bob: Member | undefined;
  readonly #authority = new TestAuthority();

  constructor(private readonly peer: Peer) {}

  async start(): Promise<void> {
    // One after the other: what was started is ended also where the next does not start.
    this.#other = await this.peer.start(this.#authority);
    // Access lists of rooms name hosts without ports: so these two have different ones.
    this.#ours = await FederatingAnnals.begin(this.#authority, {}, '127.0.0.1');
    this.#alice = await Member.at(this.#ours, 'alice');
    this.#bob = await Member.at(this.#other, 'bob');
  }

  async end(): Promise<void> {
    await this.#ours?.remove();
    await this.#other?.remove();
  }

  get ours(): FederatingAnnals {
    return started(this.#ours);
  }
  get other(): OtherServer {
    return started(this.#other);
  }
  /** On our server. */
  get alice(): Member {
    return started(this.#alice);
  }
  /** On the other one. */
  get bob(): Member {
    return started(this.#bob);
  }

  /** Who makes a room where it is made, and who comes to it. */
  pair(where: Where): Pair {
    return where === 'our side' ? { maker: this.alice, comer: this.bob } : { maker: this.bob, comer: this.alice };
  }

  /** A room that somebody of each server is in. */
  async room(where: Where, version: string, options?: object): Promise<Pair & { room: string }> {
    const { maker, comer } = this.pair(where);
    const room = await maker.create(version, options);
    await comer.join(room, maker);
    await comer.followed.untilIn(room, 'join');
    await maker.followed.untilMember(room, comer.id, 'join');
    return { maker, comer, room };
  }

  /** Another server of ours. */
  third(): Promise<FederatingAnnals> {
    return FederatingAnnals.begin(this.#authority);
  }
}

/** Where a room was made. */
export type Where = 'our side' | 'their side';
export const BOTH: readonly Where[] = ['our side', 'their side'];

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('not started');
  return part;
}
