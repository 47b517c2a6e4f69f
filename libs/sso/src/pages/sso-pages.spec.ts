import { expect, it } from 'vitest';
import { approveOperationPage, confirmClientPage, confirmOperationPage, detailsPage } from './sso-pages.js';

const of = { userId: '@ada:a.example', operation: 'POST /api/v1/login', links: [], action: 'confirm' };

it('pages on which a click lets somebody in, or something be done, are never framed', () => {
  for (const page of [
    confirmClientPage('@ada:a.example', 'app.example', 'continue'),
    confirmOperationPage(of),
    approveOperationPage(of),
    detailsPage('details', { serverName: 'a.example', terms: [], email: true, phone: false }),
  ]) {
    expect(page.isNeverFramed).toBe(true);
    expect(page.contentSecurityPolicy).toContain("frame-ancestors 'none'");
  }
});

it('the page before a stage of a log-in is passed says that it is one', () => {
  expect(approveOperationPage(of).html).toContain('log in to your account <strong>@ada:a.example</strong>');
});
