import type { Appended, EventStore, NewFact } from '#event-store/event-store';
import { START } from '#kernel/position';
import { CliFailure } from '../failure.js';
import { messageOf } from '#kernel/message-of';

/** Facts of one stream that follow each other share an append, up to so many or so much. */
const RUN_FACTS = 200;
const RUN_CHARACTERS = 256 * 1024;

interface Run {
  readonly stream: string;
  readonly revision: number;
  readonly facts: NewFact[];
  characters: number;
}

/** Appends facts of many streams in the order in which they are added, and finds out where a log does not keep that order. */
export class OrderedAppends {
  #run: Run | undefined;
  readonly #underWay: Promise<Appended>[] = [];
  #last: string = START;

  constructor(
    private readonly target: EventStore,
    private readonly name: string,
    /** How many may be under way at once: where the log takes them in the order in which it is given them, many together are much faster. */
    private readonly atOnce: number,
  ) {}

  /** `revision`: that of the first of them. */
  async add(stream: string, revision: number, facts: readonly NewFact[]): Promise<void> {
    const characters = facts.reduce((sum, { data }) => sum + data.length, 0);
    const run = this.#run;
    const fits = run?.stream === stream && run.facts.length < RUN_FACTS && run.characters + characters < RUN_CHARACTERS;
    if (run !== undefined && fits) {
      run.facts.push(...facts);
      run.characters += characters;
      return;
    }
    await this.#send();
    this.#run = { stream, revision, facts: [...facts], characters };
  }

  /** Settles when all that was added is in the log. */
  async settled(): Promise<void> {
    await this.#send();
    while (this.#underWay.length > 0) await this.#first();
  }

  async #send(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    const { stream, revision, facts } = run;
    const appending = this.target.append(stream, revision === 0 ? 'no-stream' : revision - 1, facts);
    // It is waited for in its turn.
    appending.catch(() => {});
    this.#underWay.push(appending);
    if (this.#underWay.length >= this.atOnce) await this.#first();
  }

  async #first(): Promise<void> {
    try {
      const { position } = await this.#underWay.shift()!;
      if (position <= this.#last) throw new Error('it did not keep the order of facts: begin anew in an empty place');
      this.#last = position;
    } catch (error) {
      await Promise.allSettled(this.#underWay.splice(0));
      throw new CliFailure(`${this.name}: ${messageOf(error)}`);
    }
  }
}
