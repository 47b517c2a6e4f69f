import { Catch } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { escapeHtml } from '#kernel/escape-html';
import { ErrorFilter } from '../error-filter.js';
import { htmlPage } from './html-page.js';
import { showPage } from './show-page.js';

/**
 * What is thrown on the way to a page, for people to read: with the status and the headers that it has everywhere. A page that is not there is answered as everywhere, too, and so
 * is who was to be answered with JSON.
 */
@Catch()
export class ErrorPageFilter extends ErrorFilter {
  protected override send(reply: FastifyReply, status: number, body: object): void {
    const { errcode, error } = body as { errcode?: string; error?: string };
    const isForPrograms = String(reply.getHeader('content-type')).startsWith('application/json');
    if (errcode === 'M_UNRECOGNIZED' || isForPrograms) return super.send(reply, status, body);
    const text = `<p role="alert">${escapeHtml(error ?? '')}</p>`;
    void reply.send(showPage(reply, htmlPage('This does not go', text, undefined, { isNeverFramed: true }), status));
  }
}
