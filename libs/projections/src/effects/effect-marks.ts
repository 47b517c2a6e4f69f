import { type EventStore, type RecordedFact, RevisionConflict } from '#event-store/event-store';
import { decisionId } from '#event-store/fact-id';
import { sealFacts } from '#event-store/seal-facts';
import type { Clock } from '#kernel/clock';
import { type Position, START } from '#kernel/position';

/** Where a fact is: in its stream, which a copy of the log keeps, and in this log. */
export interface FactPlace {
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
}

/** The stream in which the server notes how far it has done what follows from its facts. */
const EFFECTS_STREAM = 'effects';

/** `effects-passed`: what follows from this fact and from all before it has been done. */
interface EffectsPassed {
  readonly stream: string;
  readonly revision: number;
}

const MOST_CONFLICTS = 5;

/**
 * How far the effects are. It is kept in the log and nowhere else: views may be deleted, restored or belong to another log, and
 * a back-up of the log holds what was done when it was taken.
 */
export class EffectMarks {
  /** The last fact of the stream. */
  #last: { readonly revision: number; readonly chain: string } | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
  ) {}

  /** The position up to which everything is done; START where nothing is noted. */
  async load(): Promise<Position> {
    for await (const mark of this.store.readStream(EFFECTS_STREAM, { backwards: true, limit: 1 })) {
      this.#last = { revision: mark.revision, chain: mark.metadata.chain };
      return (await this.#factOf(mark))?.position ?? mark.position;
    }
    this.#last = undefined;
    return START;
  }

  /** Notes that everything is done up to a fact, unless another process has noted as much. */
  async save({ stream, revision, position }: FactPlace): Promise<void> {
    const data = JSON.stringify({ stream, revision } satisfies EffectsPassed);
    for (let conflicts = 0; ; conflicts++) {
      const decision = { at: this.clock.now(), actor: 'server' };
      const id = decisionId(`effects-passed ${stream} ${revision}`, decision);
      const facts = sealFacts(this.#last?.chain, [{ id, type: 'effects-passed', data, ...decision }]);
      try {
        const appended = await this.store.append(EFFECTS_STREAM, this.#last?.revision ?? 'no-stream', facts);
        this.#last = { revision: appended.revision, chain: facts[0]!.metadata.chain };
        return;
      } catch (error) {
        if (!(error instanceof RevisionConflict) || conflicts === MOST_CONFLICTS) throw error;
        if ((await this.load()) >= position) return;
      }
    }
  }

  async #factOf(mark: RecordedFact): Promise<RecordedFact | undefined> {
    const { stream, revision } = JSON.parse(mark.data) as EffectsPassed; // only `save` writes it
    for await (const fact of this.store.readStream(stream, { from: revision, limit: 1 })) return fact;
    return undefined;
  }
}
