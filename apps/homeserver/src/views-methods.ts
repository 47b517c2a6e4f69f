import type { RenewedViews } from '#processes/renewal/renewed-views';
import type { ControlMethod } from '#projections/control-server';

/** What the command line can ask of a running server about the files of its views. */
export function viewsMethods(views: RenewedViews): Readonly<Record<string, ControlMethod>> {
  return { 'views.renew': () => views.renew() };
}
