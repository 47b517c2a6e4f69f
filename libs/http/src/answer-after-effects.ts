import type { FastifyInstance } from 'fastify';

/** What knows what follows from the facts of a request (`EffectRunner`). */
export interface EffectsOfRequests {
  /** Settles when that is done, or has taken too long; undefined where nothing is under way. */
  ofRequest(requestId: string): Promise<unknown> | undefined;
}

/**
 * Lets every answer wait for what follows from the facts of its own request, so that a client which reads next finds it.
 * PERF: a look-up in a map that is mostly empty; where nothing is found the answer goes out in the same turn.
 */
export function answerAfterEffects(server: FastifyInstance, effects: EffectsOfRequests): void {
  server.addHook('onSend', (request, _reply, payload, done) => {
    const running = effects.ofRequest(request.id);
    if (running === undefined) done(null, payload);
    else void running.finally(() => done(null, payload));
  });
}
