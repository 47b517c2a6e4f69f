import type { CommandBus } from '@nestjs/cqrs';
import { findLocalUserId } from '#accounts/user-ids';
import { type Notice, type NoticeSent, SendNotice } from '#admin/commands/send-notice';
import type { Config } from '#config/config';
import type { EventId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';

/** What the command line can have users told while the server runs. */
export function noticeMethods(
  commands: CommandBus,
  { serverName, support, notices }: Pick<Config, 'serverName' | 'support' | 'notices'>,
): Readonly<Record<string, ControlMethod>> {
  const tell = (request: ControlRequest, notice: Notice): Promise<NoticeSent> =>
    commands.execute(new SendNotice({ requestId: request.method }, userOf(request), notice));
  const userOf = ({ method, user }: ControlRequest): UserId => {
    if (typeof user !== 'string') throw new Error(`${method}: whom?`);
    const userId = findLocalUserId(user, serverName);
    if (userId === undefined) throw new MatrixError('M_NOT_FOUND', `${user} is not a user of ${serverName}`);
    return userId;
  };
  const pin = (request: ControlRequest, pinned: readonly EventId[]): Promise<NoticeSent> =>
    tell(request, { type: 'm.room.pinned_events', stateKey: '', content: { pinned: [...pinned] } });
  return {
    'notices.user': () => notices?.userId,
    'notices.send': (request) =>
      tell(request, { type: 'm.room.message', content: { msgtype: 'm.text', body: textOf(request) } }),
    // "Active notices are represented by the pinned events in the server notices room."
    'notices.limit': async (request) => {
      const content = { ...USAGE_LIMIT, admin_contact: contactOf(support), body: textOf(request) };
      const sent = await tell(request, { type: 'm.room.message', content });
      await pin(request, [sent.eventId]);
      return sent;
    },
    'notices.lift': (request) => pin(request, []),
  };
}

const USAGE_LIMIT = {
  msgtype: 'm.server_notice',
  server_notice_type: 'm.server_notice.usage_limit_reached',
  limit_type: 'monthly_active_user',
};

/** "Required if the notice type is `m.server_notice.usage_limit_reached`." */
function contactOf({ email, page, matrixId }: Config['support']): string {
  if (email !== undefined) return `mailto:${email}`;
  if (page !== undefined) return page;
  if (matrixId !== undefined) return `https://matrix.to/#/${matrixId}`;
  throw new MatrixError(
    'M_INVALID_PARAM',
    'Set ANNALS_SUPPORT_EMAIL, _PAGE or _MATRIX_ID: the notice says whom to ask',
  );
}

function textOf({ method, text }: ControlRequest): string {
  if (typeof text !== 'string' || text === '') throw new Error(`${method}: what?`);
  return text;
}
