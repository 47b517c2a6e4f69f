import type { FastifyReply } from 'fastify';
import { sendOn, showPage } from '#http/pages/show-page';
import type { StageView } from '../interactive-auth/stage.js';

/** Shows the page of a stage, or sends the browser where the stage is passed. */
export function showView(reply: FastifyReply, view: StageView): string {
  return 'page' in view ? showPage(reply, view.page) : sendOn(reply, view.redirectTo, 302);
}
