import { ErasureAdministration } from '#admin/erasures/erasure-administration';
import type { ListedErasure } from '#admin/erasures/erasure-list';
import { ErasedContent } from '#processes/erasure/erased-content';
import { KeptOfUser } from '#processes/erasure/kept-of-user';
import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';

/** What an erasure of a user would take away, and what not. */
export interface ErasurePreview {
  readonly user_id: string;
  readonly removed: Readonly<Record<string, number>>;
  readonly kept: Readonly<Record<string, number>>;
}

/** Answers what a module has made of a class. */
type Of = <T>(owner: abstract new (...parameters: never[]) => T) => T;

/** What the command line can have erased by a running server. */
export function erasureMethods(of: Of): Readonly<Record<string, ControlMethod>> {
  const [erasures, content, kept] = [of(ErasureAdministration), of(ErasedContent), of(KeptOfUser)];
  return {
    'erasures.preview': async (request): Promise<ErasurePreview> => {
      const userId = await erasures.find(textOf(request, 'name'));
      const said = await content.count(userId);
      return {
        user_id: userId,
        removed: { ...said.removed, ...(await kept.count(userId)) },
        kept: { ...said.kept, ...(await kept.countKept(userId)) },
      };
    },
    'erasures.order': (request) => erasures.order(textOf(request, 'name'), { here: request.here === true }, 'server'),
    'erasures.status': (request) => erasures.status(textOf(request, 'id')),
    'erasures.list': () => erasures.list(),
    // Read and checked by the command.
    'erasures.apply': ({ list }) => erasures.apply(list as readonly ListedErasure[]),
  };
}

function textOf(request: ControlRequest, key: string): string {
  const text = request[key];
  if (typeof text !== 'string') throw new Error(`${request.method}: ${key} is missing`);
  return text;
}
