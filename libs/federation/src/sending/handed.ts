import type { FactPlace } from '#projections/effects/effect-progress';

/** What was made of one fact, on its way to many servers: it has ended once each has it, or is noted as one that lacks it. */
export class Handed {
  #left = 0;
  #resolve: () => void = () => {};
  readonly ended: Promise<void>;

  constructor(readonly place: FactPlace) {
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** One more server is to get something of it. */
  add(): void {
    this.#left++;
  }

  /** One of them is done. */
  settle(): void {
    if (--this.#left === 0) this.#resolve();
  }
}

/** A PDU or an EDU for a server, as JSON text: the same text for all that get it. */
export interface OutgoingItem {
  readonly kind: 'pdu' | 'edu';
  readonly text: string;
  /** Whose end waits for it; undefined where nobody's does, because it is noted that the server is behind. */
  handed: Handed | undefined;
  /** Called once the server has it, or will never take it. */
  readonly accepted?: (() => void) | undefined;
}

/** What is sent at once, and again with the same id until it is accepted: server-server API, "Transactions". */
export interface Transaction {
  readonly id: string;
  readonly content: string;
  /** What is in it, each canonical JSON. */
  readonly pdus: readonly string[];
  readonly edus: readonly string[];
}
