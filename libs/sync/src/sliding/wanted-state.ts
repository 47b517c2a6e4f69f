import type { UserId } from '#kernel/ids';
import type { RowHeader } from '#rooms/projections/timeline-row';

/** Some keys of a room's state: what is left out stands for all there are. */
export interface StatePattern {
  readonly type?: string;
  readonly stateKey?: string;
}

/** One way in which a client asks for state: what is excluded wins, but for members who are loaded lazily. */
export interface StateRequest {
  readonly include: readonly StatePattern[];
  readonly exclude: readonly StatePattern[];
  /** Members are told as they are needed: a pattern for all types is none for members then. */
  readonly lazyMembers: boolean;
}

const MEMBER = 'm.room.member';
const ALL_MEMBERS: StatePattern = Object.freeze({ type: MEMBER });

/**
 * The state of a room that a client wants to be told (MSC4186, `required_state`): what any of some requests asks for. Unchangeable; two
 * that ask for the same in the same way have the same `text`. PERF: that is all there is of it until it is asked for more.
 */
export class WantedState {
  #compiled: CompiledState | undefined;

  private constructor(readonly text: string) {}

  static readonly NOTHING = new WantedState('[]');

  /** What any of some requests asks for. */
  static of(requests: readonly StateRequest[]): WantedState {
    const asking = requests.filter(({ include, lazyMembers }) => include.length > 0 || lazyMembers);
    const plain = asking.filter(({ exclude }) => exclude.length === 0);
    const others = asking.filter(({ exclude }) => exclude.length > 0).map(inOrder);
    const merged = plain.length === 0 ? others : [mergePlain(plain), ...others];
    const known = new Map(merged.map((request) => [JSON.stringify(plainOf(request)), request]));
    return new WantedState(JSON.stringify([...known.keys()].sort().map((text) => plainOf(known.get(text)!))));
  }

  /** Reads what `text` of another one was. */
  static parse(text: string): WantedState {
    return new WantedState(text);
  }

  get requests(): readonly StateRequest[] {
    return this.#whole.requests;
  }

  /** Members are told as they are needed. */
  get isLazy(): boolean {
    return this.#whole.isLazy;
  }

  /** All members are wanted. */
  get wantsAllMembers(): boolean {
    return this.#whole.wantsAllMembers;
  }

  /** What either asks for. */
  or(other: WantedState): WantedState {
    return this.text === other.text ? this : WantedState.of([...this.requests, ...other.requests]);
  }

  /** Whether a state event is wanted for itself, and not only as a member who is needed. */
  matches({ type, stateKey = '' }: Pick<RowHeader, 'type' | 'stateKey'>): boolean {
    return this.#whole.tests.some((test) => test(type, stateKey));
  }

  /** The members who are asked for by name. */
  get namedMembers(): UserId[] {
    const patterns = this.requests.flatMap(({ include }) => include);
    const named = patterns.filter(({ type, stateKey }) => (type ?? MEMBER) === MEMBER && stateKey?.startsWith('@'));
    return [...new Set(named.map(({ stateKey }) => stateKey as UserId))];
  }

  /** Whether all is asked for here that another one asks for, as far as patterns say so. */
  covers(other: WantedState): boolean {
    return (
      this.text === other.text || other.requests.every((one) => this.requests.some((own) => coversRequest(own, one)))
    );
  }

  get #whole(): CompiledState {
    return (this.#compiled ??= compileState(this.text));
  }
}

/** What a text of `WantedState` says. */
interface CompiledState {
  readonly requests: readonly StateRequest[];
  readonly isLazy: boolean;
  readonly wantsAllMembers: boolean;
  readonly tests: readonly ((type: string, stateKey: string) => boolean)[];
}

function compileState(text: string): CompiledState {
  const requests = (JSON.parse(text) as PlainRequest[]).map(requestOf); // as `plainOf` wrote it
  return {
    requests,
    isLazy: requests.some(({ lazyMembers }) => lazyMembers),
    wantsAllMembers: requests.some((request) => request.include.some((pattern) => takesAllMembers(pattern, request))),
    tests: requests.map(compileRequest),
  };
}

type PlainPattern = readonly [type: string | null, stateKey: string | null];
type PlainRequest = readonly [include: readonly PlainPattern[], exclude: readonly PlainPattern[], lazyMembers: boolean];

function plainOf({ include, exclude, lazyMembers }: StateRequest): PlainRequest {
  const plain = ({ type, stateKey }: StatePattern): PlainPattern => [type ?? null, stateKey ?? null];
  return [include.map(plain), exclude.map(plain), lazyMembers];
}

function requestOf([include, exclude, lazyMembers]: PlainRequest): StateRequest {
  // PERF: there are thousands of them, and an object that is put together of others has a shape of its own, larger than itself.
  const pattern = ([type, stateKey]: PlainPattern): StatePattern => ({
    type: type ?? undefined,
    stateKey: stateKey ?? undefined,
  });
  return { include: include.map(pattern), exclude: exclude.map(pattern), lazyMembers };
}

function inOrder({ include, exclude, lazyMembers }: StateRequest): StateRequest {
  return { include: distinct(include), exclude: distinct(exclude), lazyMembers };
}

/** Requests that exclude nothing as one. */
function mergePlain(requests: readonly StateRequest[]): StateRequest {
  const lazyMembers = requests.some((request) => request.lazyMembers);
  const include = requests.flatMap((request) => {
    // With lazy loading a pattern for everything is none for members.
    const tells = lazyMembers && !request.lazyMembers && request.include.some(isForAll);
    return tells ? [...request.include, ALL_MEMBERS] : request.include;
  });
  return { include: distinct(include), exclude: [], lazyMembers };
}

function distinct(patterns: readonly StatePattern[]): readonly StatePattern[] {
  const known = new Map(
    patterns.map((pattern) => [JSON.stringify([pattern.type ?? null, pattern.stateKey ?? null]), pattern]),
  );
  return [...known.keys()].sort().map((key) => known.get(key)!);
}

function isForAll({ type, stateKey }: StatePattern): boolean {
  return type === undefined && stateKey === undefined;
}

function takesAllMembers(pattern: StatePattern, { lazyMembers }: StateRequest): boolean {
  if (pattern.stateKey !== undefined) return false;
  return pattern.type === MEMBER || (pattern.type === undefined && !lazyMembers);
}

function compileRequest({ include, exclude, lazyMembers }: StateRequest): (type: string, stateKey: string) => boolean {
  const takes = (pattern: StatePattern, type: string, stateKey: string): boolean =>
    fits(pattern, type, stateKey) && !(lazyMembers && type === MEMBER && isForAll(pattern));
  return (type, stateKey) =>
    include.some((pattern) => takes(pattern, type, stateKey)) &&
    !exclude.some((pattern) => fits(pattern, type, stateKey));
}

function fits(pattern: StatePattern, type: string, stateKey: string): boolean {
  return (pattern.type ?? type) === type && (pattern.stateKey ?? stateKey) === stateKey;
}

function coversRequest(own: StateRequest, other: StateRequest): boolean {
  if (other.lazyMembers && !own.lazyMembers && !own.include.some((pattern) => takesAllMembers(pattern, own)))
    return false;
  const isWithin = (pattern: StatePattern): boolean =>
    own.include.some((wider) => coversPattern(wider, pattern) && !losesMembers(wider, own, pattern, other));
  const isLeftOut = (pattern: StatePattern): boolean => other.exclude.some((wider) => coversPattern(wider, pattern));
  return other.include.every(isWithin) && own.exclude.every(isLeftOut);
}

function coversPattern(wider: StatePattern, pattern: StatePattern): boolean {
  return (
    (wider.type === undefined || wider.type === pattern.type) &&
    (wider.stateKey === undefined || wider.stateKey === pattern.stateKey)
  );
}

/** Whether a pattern for everything leaves out members that the other one asks for. */
function losesMembers(wider: StatePattern, own: StateRequest, pattern: StatePattern, other: StateRequest): boolean {
  if (!own.lazyMembers || !isForAll(wider)) return false;
  return (pattern.type ?? MEMBER) === MEMBER && !(other.lazyMembers && isForAll(pattern));
}
