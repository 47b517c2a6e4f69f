import type { FastifyReply } from 'fastify';
import { sendOn, showPage } from '#http/pages/show-page';
import { MatrixError } from '#kernel/matrix-error';
import { problemPage } from './sso-pages.js';

/** Sends the browser elsewhere. Client-server API, `GET /login/sso/redirect`: with 302. */
export const goTo = (reply: FastifyReply, url: string): string => sendOn(reply, url, 302);

/** Shows what `show` answers; a refusal as a page, for who looks at it is a person. `again`: where they begin anew with what came to nothing. */
export async function showOrTell(reply: FastifyReply, show: () => Promise<string>, again?: string): Promise<string> {
  try {
    return await show();
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
    return showPage(reply, problemPage(error.message, again), error.status);
  }
}
