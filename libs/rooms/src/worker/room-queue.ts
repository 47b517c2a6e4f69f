import type { QueuedTask } from './task-batch.js';

/**
 * What waits for a room. What users here do and what other servers tell of it have their turn one after the other, each in its own
 * order: so nobody here waits for all the events that another server has sent at once, each of which may take long.
 */
export class RoomQueue {
  #ours: QueuedTask[] = [];
  #others: QueuedTask[] = [];

  get size(): number {
    return this.#ours.length + this.#others.length;
  }

  push(task: QueuedTask): void {
    (task.isOthers ? this.#others : this.#ours).push(task);
  }

  /** Takes so many out, in the order of their turns. */
  take(most: number): QueuedTask[] {
    const taken: QueuedTask[] = [];
    let at = 0;
    for (; taken.length < most && (at < this.#ours.length || at < this.#others.length); at++) {
      for (const task of [this.#ours[at], this.#others[at]]) if (task !== undefined) taken.push(task);
    }
    this.#ours = this.#ours.slice(at);
    this.#others = this.#others.slice(at);
    return taken;
  }

  /** Puts some that were taken out before all that waits. */
  putBack(tasks: readonly QueuedTask[]): void {
    this.#ours = [...tasks.filter(({ isOthers }) => !isOthers), ...this.#ours];
    this.#others = [...tasks.filter(({ isOthers }) => isOthers), ...this.#others];
  }
}
