import { messageOf } from '#kernel/message-of';
import { type Position, START } from '#kernel/position';
import type { ProjectionLog } from '../runtime-parts.js';
import type { EffectsFact, EffectsState, Mark } from './effect-facts.js';
import type { EffectLane } from './effect-lane.js';
import type { EffectNotes } from './effect-notes.js';
import type { FactPlace } from './effect-progress.js';

export interface MarksParts {
  readonly notes: EffectNotes;
  /** The name of this process in the notes. */
  readonly by: string;
  readonly logId: string | null;
  /** Whether this process runs an effect, as the state tells. */
  readonly isOurs: (effect: string, state: EffectsState) => boolean;
  readonly log: ProjectionLog;
}

/** Notes how far the effects are, each for itself and all that have come further in one fact. */
export class EffectMarks {
  readonly #saved = new Map<EffectLane, Position>();
  #saving: Promise<void> = Promise.resolve();

  constructor(private readonly parts: MarksParts) {}

  /** Notes how far these lanes are, after what is being noted. Never throws: what could not be noted is due again. */
  save(lanes: Iterable<EffectLane>): Promise<void> {
    return (this.#saving = this.#saving.then(() => this.#save([...lanes])));
  }

  async #save(lanes: readonly EffectLane[]): Promise<void> {
    const { notes, by, logId, isOurs, log } = this.parts;
    const ahead: { readonly lane: EffectLane; readonly place: FactPlace }[] = [];
    for (const lane of lanes) {
      const place = lane.passed;
      if (place !== undefined && place.position > (this.#saved.get(lane) ?? START)) ahead.push({ lane, place });
    }
    if (ahead.length === 0) return;
    for (const { lane } of ahead) lane.beginMark();
    try {
      await notes.change((state): EffectsFact[] => {
        // One that another process has taken meanwhile is that one's to note.
        const ours = ahead.filter(({ lane }) => isOurs(lane.effect.name, state));
        if (ours.length === 0) return [];
        return [{ type: 'effects-passed', data: { by, passed: groupByPlace(ours, logId) } }];
      });
      for (const { lane, place } of ahead) this.#saved.set(lane, place.position);
    } catch (error) {
      for (const { lane } of ahead) lane.failMark();
      log.warn(`How far the effects are could not be noted: ${messageOf(error)}`);
    }
  }

  /** A lane that runs no more. */
  forget(lane: EffectLane): void {
    this.#saved.delete(lane);
  }
}

/** Most have passed the same fact. */
function groupByPlace(
  ahead: readonly { readonly lane: EffectLane; readonly place: FactPlace }[],
  logId: string | null,
): { effects: string[]; mark: Mark }[] {
  const groups = new Map<Position, { effects: string[]; mark: Mark }>();
  for (const { lane, place } of ahead) {
    const group = groups.get(place.position) ?? { effects: [], mark: markOf(place, logId) };
    group.effects.push(lane.effect.name);
    groups.set(place.position, group);
  }
  return [...groups.values()];
}

/** The mark of a fact in the log with the id `logId`. */
export function markOf({ stream, revision, position, at }: FactPlace, logId: string | null): Mark {
  return { stream, revision, position, log_id: logId, at };
}
