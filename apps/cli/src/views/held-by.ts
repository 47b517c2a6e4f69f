/** What an operator is told of what was erased, where projections have yet to come by that. */
export function heldBy(behind: readonly string[]): string {
  const names = behind.join(', ');
  return `what was erased is left where projections stand before it (${names}): once "annals projections list" shows them live, renew the views again`;
}
