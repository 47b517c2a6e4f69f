import type { StateTaken } from './join-facts.js';
import type { OutlierStored, PduAccepted, PduRedacted, PduRejected, PduWithState } from './room-facts.js';

/*
 * How the data of a fact about an event is laid out: its header, of which comes last what may say what a redaction takes away, and the
 * PDU's own text. Quotes inside JSON strings are escaped: a mark that has some and stands before the PDU is the header's own.
 */

const PDU_KEY = ',"pdu":';
const PDU_MARK = `${PDU_KEY}{`;
/** What stands before the PDU and may say what a redaction takes away; of a fact one at most. */
const TELLING = ['state_pdus', 'reason'] as const;
type Telling = Partial<Pick<PduAccepted, 'state_pdus'> & Pick<PduRejected, 'reason'>>;

/** The facts that carry an event as it was signed, which a redaction may take away. */
const ERASABLE: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'pdu-soft-failed',
  'pdu-rejected',
  'outlier-stored',
  'state-taken',
  'change-told',
]);

/** Whether facts of this type carry events as they were signed: their own, or others besides. */
export function carriesEvents(factType: string): boolean {
  return ERASABLE.has(factType);
}

/** Whether a fact holds an event that was fetched from the past, which is news to nobody. PERF: told from the text, with nothing parsed. */
export function isOfThePast(factData: string): boolean {
  return saysBeforePdu(factData, ',"history":true');
}

/** Whether a fact holds an event before which another server told the state, for not all its parents were here. PERF: as `isOfThePast`. */
export function isAfterGap(factData: string): boolean {
  return saysBeforePdu(factData, ',"base":{"learnt":');
}

/**
 * Whether this server is the one that sends an accepted event to all others in the room: one of its own, or one that another server
 * gave it for that. PERF: as `isOfThePast`.
 */
export function isToSend(factData: string): boolean {
  return !saysBeforePdu(factData, ',"origin":"') || saysBeforePdu(factData, ',"handed_on":true');
}

/** Whether an accepted event changed no state: neither that after it nor the room's current one. PERF: as `isOfThePast`. */
export function changesNoState(factData: string): boolean {
  const end = factData.indexOf(PDU_MARK);
  const at = factData.indexOf(',"state":[],');
  return at >= 0 && at < end && factData.lastIndexOf(',"current":{', end) < 0;
}

/** Whether an accepted event hides another one or shows it again. PERF: as `isOfThePast`. */
export function moderates(factData: string): boolean {
  return saysBeforePdu(factData, ',"moderates":true');
}

function saysBeforePdu(factData: string, text: string): boolean {
  const at = factData.indexOf(text);
  return at >= 0 && at < factData.indexOf(PDU_MARK);
}

/** What a fact about an event says before its PDU, as JSON text. Throws an Error where there is no PDU. */
export function headerTextOf(factData: string): string {
  return `${factData.slice(0, pduPlaceIn(factData) - PDU_KEY.length)}}`;
}

/** The text of the PDU within a fact's data, byte for byte as signed. Throws an Error where there is none. */
export function pduTextOf(factData: string): string {
  return factData.slice(pduPlaceIn(factData), -1);
}

/**
 * Where the part of a room fact's data begins that a redaction may erase: the PDUs it carries, its own last, and why that was
 * rejected, which may quote it; undefined: nowhere.
 */
export function erasablePlaceIn(factType: string, factData: string): number | undefined {
  if (!ERASABLE.has(factType)) return undefined;
  const own = factType === 'change-told' ? undefined : pduPlaceIn(factData);
  for (const key of TELLING) {
    const mark = `,"${key}":`;
    const at = own === undefined ? factData.indexOf(mark) : factData.lastIndexOf(mark, own);
    if (at >= 0) return at + mark.length;
  }
  return own;
}

function pduPlaceIn(factData: string): number {
  const start = factData.indexOf(PDU_MARK);
  if (start < 0) throw new Error('the fact carries no PDU');
  return start + PDU_KEY.length;
}

/** What a fact says beside its PDU. */
type WithoutPdu =
  | Omit<PduWithState, 'pdu'>
  | Omit<PduAccepted, 'pdu'>
  | Omit<PduRejected, 'pdu'>
  | Omit<OutlierStored, 'pdu'>
  | Omit<StateTaken, 'pdu'>
  | Omit<PduRedacted, 'pdu'>;

/** Writes a fact's data: the header's keys, of these last what may be erased with the PDU, then the PDU's own text. */
export function factWithPdu(header: WithoutPdu, pduText: string): string {
  const told = header as Telling;
  const key = tellingKeyOf(told);
  if (key === undefined) return `${JSON.stringify(header).slice(0, -1)}${PDU_KEY}${erasableTail({}, pduText)}`;
  const { [key]: value, ...rest } = told;
  return `${JSON.stringify(rest).slice(0, -1)},"${key}":${erasableTail({ [key]: value }, pduText)}`;
}

/** What stands in the part of a fact's data that may be erased (`erasablePlaceIn`). `pduText`: its own; a part has none. */
export function erasableTail(told: Telling, pduText: string | undefined): string {
  const key = tellingKeyOf(told);
  if (pduText === undefined) return `${JSON.stringify(told.state_pdus)}}`;
  return key === undefined ? `${pduText}}` : `${JSON.stringify(told[key])}${PDU_KEY}${pduText}}`;
}

function tellingKeyOf(told: Telling): (typeof TELLING)[number] | undefined {
  return TELLING.find((key) => told[key] !== undefined);
}
