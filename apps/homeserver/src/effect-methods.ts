import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';
import type { EffectRunner } from '#projections/effects/effect-runner';

/** What the command line can ask of the effects of a running server. */
export function effectMethods(effects: EffectRunner): Readonly<Record<string, ControlMethod>> {
  return {
    'effects.list': () => effects.list(),
    'effects.dead-letters': ({ name }) => effects.letters(name),
    'effects.retry': (request) => effects.retry(nameOf(request), factOf(request)),
    'effects.drop': (request) => effects.drop(nameOf(request), factOf(request)),
  };
}

function nameOf({ method, name }: ControlRequest): string {
  if (typeof name !== 'string') throw new Error(`${method}: which effect?`);
  return name;
}

function factOf({ fact }: ControlRequest): string | undefined {
  return typeof fact === 'string' ? fact : undefined;
}
