import type { RecordedFact } from '#event-store/event-store';
import type { FactParts } from '#event-store/fact-parts';
import type { FactBody } from '#event-store/fact-shapes';
import type { EventId } from '#kernel/ids';
import { each, type Steps } from '#kernel/steps';
import type { PduAccepted, PduWithState, StateChange } from './room-facts.js';
import { erasablePlaceIn, factWithPdu, pduTextOf } from './fact-text.js';
import { inGroups, MOST_IN_A_FACT } from './log-limits.js';

/**
 * `change-told`: a part of what the next fact of an event says, where that would be too large for a log. All parts of it stand right
 * before it; those behind which it does not come, because the process ended there, say nothing.
 */
export interface ChangeTold {
  readonly event_id: EventId;
  readonly room_version: string;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  /** Of what the event's fact says under these names, the next elements. */
  readonly state?: readonly StateChange[];
  readonly current?: readonly StateChange[];
  /** As those of `pdu-accepted`; they come last. */
  readonly state_pdus?: Readonly<Record<EventId, string>>;
}

/** The facts that may be told in parts. */
const PLACED: ReadonlySet<string> = new Set(['pdu-accepted', 'pdu-soft-failed', 'pdu-rejected']);
/** What the text of one that was begins with, and of no other. */
const MARK = '{"parts":';
/** PERF: with so few changes a fact is small, whatever they say; so it is with nearly every one. */
const FEW = 20;

/** What a fact says of an event beside its PDU. */
export type PlacedHeader = Omit<PduWithState, 'pdu'> & Partial<Omit<PduAccepted, 'pdu'>>;

/** What is told of an event in parts, and what its own fact says behind them. */
export interface ToldInParts {
  readonly parts: readonly ChangeTold[];
  readonly last: PlacedHeader;
}

/** Spreads what is told of an event over several facts, where it is too large for one; undefined where it is not. In steps. */
export function* tellInParts(header: PlacedHeader): Steps<ToldInParts | undefined> {
  const { state, current, state_pdus: carried } = header;
  const count = state.length + (current?.state.length ?? 0);
  if (count <= FEW && carried === undefined) return undefined;
  const measured: { readonly piece: Piece; readonly bytes: number }[] = [];
  yield* each(piecesOf(header), (piece) => measured.push({ piece, bytes: Buffer.byteLength(JSON.stringify(piece)) }));
  const groups = inGroups(measured, ({ bytes }) => bytes, MOST_IN_A_FACT);
  if (groups.length === 1) return undefined;
  const { event_id, room_version } = header;
  const parts = groups.map((group, i) => {
    const pieces = group.map(({ piece }) => piece);
    return { event_id, room_version, part: i + 1, parts: groups.length, ...together(pieces) };
  });
  const { state_pdus: _, ...rest } = header;
  const last = {
    // It stands first: by that it is known.
    parts: groups.length,
    ...rest,
    state: [],
    ...(current === undefined ? {} : { current: { ...current, state: [] } }),
  };
  return { parts, last };
}

/** What is told of an event in parts, which are appended already. */
export interface AppendedParts extends ToldInParts {
  /** The revision of the first. */
  readonly first: number;
}

/** The text of the fact of an event, which is to be appended next, and all that it says together with its parts, for the fold. */
export function tellPlaced<H extends PlacedHeader>(
  header: H,
  pduText: string,
  parts: AppendedParts | undefined,
): { readonly data: string; readonly header: H } {
  if (parts === undefined) return { data: factWithPdu(header, pduText), header };
  const whole = { ...header, told_in: placesIn(parts.parts, (part) => parts.first + part) };
  return { data: factWithPdu(parts.last, pduText), header: whole };
}

/** How facts of rooms are put together that were told in parts. */
export const ROOM_PARTS: FactParts = {
  count({ type, data }) {
    if (!data.startsWith(MARK) || !PLACED.has(type)) return 0;
    return Number.parseInt(data.slice(MARK.length, MARK.length + 16), 10);
  },
  join(fact, parts) {
    const { parts: count, ...header } = JSON.parse(fact.data) as PduAccepted;
    const told = parts.map(({ data }) => JSON.parse(data) as ChangeTold);
    if (told.length !== count || !told.every((one, i) => isPart(parts[i]!, one, header, i + 1))) return undefined;
    return joined(fact, header, told, (i) => parts[i]!.revision);
  },
};

function isPart({ type }: RecordedFact, told: ChangeTold, { event_id: eventId }: PlacedHeader, part: number): boolean {
  return type === 'change-told' && told.event_id === eventId && told.part === part;
}

function joined(
  { type, data }: RecordedFact,
  body: PduAccepted,
  told: readonly ChangeTold[],
  revisionOf: (part: number) => number,
): FactBody {
  const { pdu: _, ...header } = body;
  const carried: Record<EventId, string> = {};
  for (const { state_pdus } of told) Object.assign(carried, state_pdus);
  const { current } = header;
  const whole: PlacedHeader = {
    ...header,
    state: told.flatMap(({ state = [] }) => state),
    ...(current === undefined ? {} : { current: { ...current, state: told.flatMap((one) => one.current ?? []) } }),
    ...(Object.keys(carried).length === 0 ? {} : { state_pdus: carried, told_in: placesIn(told, revisionOf) }),
  };
  const text = factWithPdu(whole, pduTextOf(data));
  return { data: text, erasable: erasablePlaceIn(type, text) };
}

/** `told_in` of what is told in these parts. */
export function placesIn(
  parts: readonly ChangeTold[],
  revisionOf: (part: number) => number,
): NonNullable<PduAccepted['told_in']> {
  const places: Record<EventId, number> = {};
  for (const [i, { state_pdus: carried = {} }] of parts.entries()) {
    for (const eventId of Object.keys(carried)) places[eventId as EventId] = revisionOf(i);
  }
  return places;
}

type Piece = Pick<ChangeTold, 'state' | 'current' | 'state_pdus'>;

function* piecesOf({ state, current, state_pdus: carried = {} }: PlacedHeader): Generator<Piece> {
  for (const change of state) yield { state: [change] };
  for (const change of current?.state ?? []) yield { current: [change] };
  for (const [eventId, text] of Object.entries(carried)) yield { state_pdus: { [eventId]: text } };
}

function together(pieces: readonly Piece[]): Piece {
  const state = pieces.flatMap((piece) => piece.state ?? []);
  const current = pieces.flatMap((piece) => piece.current ?? []);
  const carried: Record<EventId, string> = {};
  for (const { state_pdus } of pieces) Object.assign(carried, state_pdus);
  return {
    ...(state.length === 0 ? {} : { state }),
    ...(current.length === 0 ? {} : { current }),
    ...(Object.keys(carried).length === 0 ? {} : { state_pdus: carried }),
  };
}
