import type { EventStore } from '#event-store/event-store';
import type { EffectsFact } from './effect-facts.js';
import { markOf } from './effect-marks.js';
import type { EffectNotes } from './effect-notes.js';
import type { Effect } from './effect.js';

/**
 * Notes where effects begin that the log does not know yet: with what happens from now on, unless they say otherwise. Durably, before
 * anything follows: what happens before the first mark is not lost in a crash.
 */
export async function introduceEffects(
  store: Pick<EventStore, 'findLast'>,
  notes: EffectNotes,
  effects: readonly Effect[],
  { by, logId }: { readonly by: string; readonly logId: string | null },
): Promise<void> {
  const known = await notes.load();
  if (effects.every(({ name }) => known.marks.has(name))) return;
  const last = await store.findLast();
  const head = last === undefined ? null : markOf({ ...last, at: last.metadata.at }, logId);
  await notes.change(({ marks }): EffectsFact[] => {
    const fresh = effects.filter(({ name }) => !marks.has(name));
    const begun = (isFromStart: boolean): EffectsFact[] => {
      const names = fresh.filter(({ fromStart = false }) => fromStart === isFromStart).map(({ name }) => name);
      const after = isFromStart ? null : head;
      return names.length === 0 ? [] : [{ type: 'effects-begun', data: { by, effects: names, after } }];
    };
    return [...begun(true), ...begun(false)];
  });
}
