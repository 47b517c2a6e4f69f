import { hash } from 'node:crypto';

/** The namespace of every fact id. Never changes: the same name must give the same id for ever. */
const NAMESPACE = Buffer.from('6f1c6a0e3b3f4a0d9a5d0c3c9f6f2b47', 'hex');
const VARIANT = '89ab';

/**
 * The UUIDv5 (RFC 9562, section 5.5) of a name in the namespace of Annals. Name a fact after what makes it the same fact
 * when it is tried again: the PDU's event id and the kind of fact, or the device and its transaction id.
 */
export function factId(name: string): string {
  const input = Buffer.allocUnsafe(NAMESPACE.length + Buffer.byteLength(name));
  NAMESPACE.copy(input);
  input.write(name, NAMESPACE.length);
  const hex = hash('sha1', input, 'hex');
  const variant = VARIANT[Number.parseInt(hex[16]!, 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Who decided something and when, of what surrounds a fact. */
export interface Decision {
  readonly at: number;
  readonly actor: string;
  readonly device?: string;
  readonly correlation?: string;
}

/**
 * The id of a fact, made of what names it and of the decision that made it. A store that finds the same id at the same place
 * takes the fact for one it has and answers for that: so two decisions never share an id, even where they say the same (a try
 * whose outcome nobody was told and its retry, two processes that are asked for one thing).
 */
export function decisionId(name: string, { at, actor, device, correlation }: Decision): string {
  return factId(JSON.stringify([name, at, actor, device, correlation]));
}
