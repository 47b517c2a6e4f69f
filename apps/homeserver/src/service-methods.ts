import type { SendToServices } from '#appservices/sending/send-to-services.effect';
import type { ControlMethod } from '#projections/control-server';

/** What the command line can ask of a running server about application services. */
export function serviceMethods(
  sending: Pick<SendToServices, 'list' | 'skip'>,
): Readonly<Record<string, ControlMethod>> {
  return {
    'appservices.list': () => sending.list(),
    'appservices.skip': async ({ method, name, transaction }) => {
      if (typeof name !== 'string' || typeof transaction !== 'string')
        throw new Error(`${method}: which transaction to which service?`);
      await sending.skip(name, transaction);
    },
  };
}
