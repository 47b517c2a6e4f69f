import type { RecordedFact } from '#event-store/event-store';
import { START } from '#kernel/position';
import type { Projector } from '#projections/projector';
import { MemoryEventStore } from './memory-event-store.js';
import { MemoryReadModels } from './memory-read-models.js';
import { applyFacts, rowsOf } from './project.js';

/** A log in memory that remembers what it was before and after the beginning of a stream went. */
export class ForgetfulEventStore extends MemoryEventStore {
  readonly #went: { readonly before: readonly RecordedFact[]; readonly after: readonly RecordedFact[] }[] = [];

  override async truncate(stream: string, revision: number): Promise<void> {
    const before = [...this.facts];
    await super.truncate(stream, revision);
    this.#went.push({ before, after: [...this.facts] });
  }

  /** What views hold that read the log while something went from it, wherever they stood then, and all that came since: each way once. */
  async rowsWhileForgetting(projector: Projector): Promise<readonly string[]> {
    const ways = new Set<string>();
    for (const { before, after } of this.#went) {
      for (let read = 0; read <= before.length; read++) {
        const first = before.slice(0, read);
        const at = first.at(-1)?.position ?? START;
        const rest = after.filter(({ position }) => position > at);
        const since = this.facts.filter(({ position }) => position > (before.at(-1)?.position ?? START));
        const views = new MemoryReadModels();
        await applyFacts(projector, [...first, ...rest, ...since], views);
        ways.add(JSON.stringify(await rowsOf(projector, views)));
      }
    }
    return [...ways];
  }
}
