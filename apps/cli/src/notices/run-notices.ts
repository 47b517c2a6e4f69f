import type { ListedAccount } from '#accounts/queries/list-accounts';
import type { ControlClient } from '#projections/control-client';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted } from '../terminal/units.js';

/** Who is told something: one user, or all who have an account and are no guests. */
export interface ToldUsers {
  readonly user: string | undefined;
  readonly all: boolean;
}

/** What they are told: a text; that a limit of use is reached, which stays shown; or that it is not any more. */
export type ToldThing =
  | { readonly kind: 'send' | 'limit'; readonly text: string }
  | { readonly kind: 'lift'; readonly text?: undefined };

/** `notices send` and `notices lift`. */
export async function tellUsers(
  installation: Installation,
  terminal: Terminal,
  { user, all }: ToldUsers,
  { kind, text }: ToldThing,
): Promise<ExitCode> {
  if ((user === undefined) !== all) throw new CliFailure('either --to USER or --all', EXIT.failed);
  const client = await installation.connect();
  if (client === undefined) throw new CliFailure('the server is not running: it alone can tell users', EXIT.failed);
  try {
    let told = 0;
    for await (const one of user === undefined ? everybody(client) : [user]) {
      await callServer(client, `notices.${kind}`, { user: one, text });
      told++;
    }
    await terminal.line(`${counted(told, 'user')} told`);
    return EXIT.ok;
  } finally {
    client.close();
  }
}

/** In pages: the accounts that are made meanwhile may be among them. */
async function* everybody(client: ControlClient): AsyncGenerator<string> {
  const notices = await callServer<string | undefined>(client, 'notices.user');
  let after: string | undefined;
  for (;;) {
    const page = await callServer<ListedAccount[]>(client, 'users.list', { after });
    if (page.length === 0) return;
    for (const { user_id: userId, deactivated, guest } of page)
      if (deactivated !== true && guest !== true && userId !== notices) yield userId;
    after = page.at(-1)?.user_id;
  }
}
